"""`scripts/bench audio`: arrival traces × players, the same input for all, judged as a listener would.

One job is one player on one trace, from the making of the trace to the verdict; jobs share the machine's processors.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.judging import Verdict, judge
from tests.bench.players import PLAYERS
from tests.bench.playing import play
from tests.bench.traces import TRACES, make_trace
from tests.rig.wav import write_wav

QUICK_S = 300.0
"""Instead of an hour."""
UTTERANCES = 60
"""How many of an hour's utterances are judged by PESQ, evenly spread;"""
LONGEST_WHOLE_S = 600.0
"""of traces up to this length it is all."""


@dataclass(frozen=True)
class Job:
    """One player on one trace."""

    trace: str
    player: str
    seconds: float
    utterances: int | None
    wav: Path | None
    """A folder for what was played and for what should have been."""


@dataclass(frozen=True)
class Result:
    """What came of a job."""

    job: Job
    utterances: int
    """That PESQ heard."""
    verdict: Verdict


def jobs(traces: Sequence[str], quick: bool, wav: Path | None) -> list[Job]:
    """All that is to be done, the longest first."""
    made = []
    for trace in traces:
        seconds = min(TRACES[trace].seconds, QUICK_S) if quick else TRACES[trace].seconds
        utterances = UTTERANCES if seconds > LONGEST_WHOLE_S else None
        made += [Job(trace, player, seconds, utterances, wav) for player in PLAYERS]
    return sorted(made, key=lambda job: -job.seconds)


def run_job(job: Job) -> Result:
    """Makes the trace, plays it and judges what was heard. Seconds to a minute."""
    trace = make_trace(job.trace, job.seconds)
    performance = play(PLAYERS[job.player], trace)
    if job.wav is not None:
        job.wav.mkdir(parents=True, exist_ok=True)
        write_wav(job.wav / f"{job.trace}-{job.player}.wav", performance.played)
        write_wav(job.wav / f"{job.trace}-clean.wav", trace.material.pcm)
    verdict = judge(performance, trace, job.utterances)
    return Result(job, len(verdict.pesq), verdict)


def run(todo: Sequence[Job], done: Callable[[Result], None]) -> list[Result]:
    """Runs all jobs on all processors; `done` hears of each as it ends. In the order of TRACES and PLAYERS."""
    results = []
    with multiprocessing.Pool(min(len(os.sched_getaffinity(0)), len(todo))) as pool:
        for result in pool.imap_unordered(run_job, todo):
            done(result)
            results.append(result)
    order = (list(TRACES), list(PLAYERS))
    return sorted(results, key=lambda result: (order[0].index(result.job.trace), order[1].index(result.job.player)))
