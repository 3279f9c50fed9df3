"""`scripts/bench audio`: arrival traces × players, the same input for all, judged as a listener would.

One job is one player on one trace, from the making of the trace to the verdict; jobs share the machine's processors.
"""

from __future__ import annotations

import multiprocessing
import os
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.bench.arrivals import TRACES, Trace
from tests.bench.judging import Verdict, judge
from tests.bench.material import talk
from tests.bench.players import PLAYERS
from tests.bench.playing import play
from tests.rig.figures import Figures
from tests.rig.wav import write_wav

HOUR_S = 3600.0
QUICK_S = 300.0
"""Instead of an hour."""
LENGTHS_S = {
    "steady": 120.0,
    "wifi": 600.0,
    "stall": 240.0,
    "fast": HOUR_S,
    "slow": HOUR_S,
    "pauses": 240.0,
    "bursts": 120.0,
}
UTTERANCES = 60
"""How many of an hour's utterances are judged by PESQ, evenly spread; of the shorter traces it is all."""
SAME_PESQ = 0.005
"""A difference up to this is none."""
LEAST_PESQ = 4.2
"""On a network that only drifts."""
LONGEST_RECOVERY_S = 2.0
_SEED = 20160625


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
        seconds = min(LENGTHS_S[trace], QUICK_S if quick else HOUR_S)
        utterances = UTTERANCES if seconds > LENGTHS_S["wifi"] else None
        made += [Job(trace, player, seconds, utterances, wav) for player in PLAYERS]
    return sorted(made, key=lambda job: -job.seconds)


def make_trace(name: str, seconds: float) -> Trace:
    """The trace of that name; every call gives the same."""
    seed = _SEED + zlib.crc32(name.encode())
    return TRACES[name](talk(seconds, seed), np.random.default_rng(seed))


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


def add_figures(figures: Figures, results: Sequence[Result]) -> None:
    """Everything measured, and what is promised of ours."""
    for result in results:
        _add_verdict(figures, result)
    verdicts = {(result.job.trace, result.job.player): result.verdict for result in results}
    for trace in dict.fromkeys(result.job.trace for result in results):
        mine = verdicts[trace, "ours"]
        for other in PLAYERS:
            if other != "ours" and (trace, other) in verdicts:
                figures.add(f"{trace}_beaten_by_{other}", beaten(mine, verdicts[trace, other]), max=0)
        if trace == "stall":
            figures.add("stall_recovery_s", mine.recovery_s, max=LONGEST_RECOVERY_S)


def beaten(ours: Verdict, other: Verdict) -> bool:
    """The other one sounds better, and is not a moment later."""
    return other.pesq_mean > ours.pesq_mean + SAME_PESQ and other.delay_mean_ms <= ours.delay_mean_ms


def _add_verdict(figures: Figures, result: Result) -> None:
    trace, player, verdict = result.job.trace, result.job.player, result.verdict
    ours = player == "ours"
    name = f"{trace}_{player}"
    figures.add(f"{name}_utterances", result.utterances)
    least = LEAST_PESQ if ours and trace in ("steady", "fast", "slow") else None
    figures.add(f"{name}_pesq_mean", verdict.pesq_mean, min=least)
    figures.add(f"{name}_pesq_min", verdict.pesq_min)
    figures.add(f"{name}_delay_mean_ms", verdict.delay_mean_ms)
    figures.add(f"{name}_delay_p95_ms", verdict.delay_p95_ms)
    figures.add(f"{name}_device_mean_ms", verdict.device_mean_ms)
    figures.add(f"{name}_clicks", len(verdict.clicks_s), max=0 if ours else None)
    figures.add(f"{name}_concealed_ms", verdict.counts.concealed_ms)
    figures.add(f"{name}_dropped_ms", verdict.counts.dropped_ms)
    figures.add(f"{name}_underruns", verdict.counts.underruns)
    figures.add(f"{name}_device_underruns", verdict.device_underruns)
    if ours:
        figures.add(f"{name}_accelerated", verdict.counts.accelerated)
        figures.add(f"{name}_expanded", verdict.counts.expanded)
