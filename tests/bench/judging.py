"""What a listener would say of a performance: how it sounds (PESQ), how late it is, how often it clicks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pesq
from numpy.typing import NDArray

from tests.bench.arrivals import Trace
from tests.bench.clicks import clicks
from tests.bench.material import Material
from tests.bench.playing import Counts, Performance
from tests.bench.tracing import Run, place, runs, sources
from tests.rig.speech import Span
from tests.rig.wav import RATE, Pcm

SETTLED_MS = 40.0
"""So near to its target, the delay counts as recovered."""
_MARGIN = round(0.1 * RATE)
"""PESQ is given so much around an utterance."""
_LATE = round(0.3 * RATE)
"""And so much more of what was played, for what a player stretches."""
_EVERY = 8
"""Delays are counted for every so many samples."""
_LONGEST_STRETCH = round(0.04 * RATE)
"""Where two pitch periods of 16 ms became one, or one sound faded into another, no sample is a copy for so long."""
_SPEECH_BLOCK = round(0.01 * RATE)
_LEAST_SPEECH = 32768 * 10 ** (-50 / 20)
"""The root mean square of what counts as speech: 20 dB over the noise of the room."""
_AT_END_S = 10.0
_WORST_PESQ = 1.0
"""For an utterance of which nothing was heard."""


@dataclass(frozen=True)
class Verdict:
    """One player on one trace."""

    pesq: tuple[float, ...]
    """Narrow-band MOS-LQO (ITU-T P.862.1) of each utterance that was judged."""
    delay_mean_ms: float
    delay_p95_ms: float
    """From the earliest moment at which a sample could have come to the moment it is heard."""
    device_mean_ms: float
    """What of it lies in the device's own queue."""
    clicks_s: tuple[float, ...]
    """When a click is heard that the clean speech has not."""
    counts: Counts
    device_underruns: int
    speech_lost_ms: float
    """Speech that nobody heard: no copy of it was played, nor anything made of it. What is quiet does not count."""
    target_at_end_ms: float
    """The player's greatest target within the last ten seconds."""
    recovery_s: float
    """From the end of a stall until the delay is within SETTLED_MS of the target for good; the longest of all, and
    infinity where it never is; 0 in a trace without stalls."""

    @property
    def pesq_mean(self) -> float:
        """Of all utterances judged; NaN where there is none."""
        return float(np.mean(self.pesq)) if self.pesq else math.nan

    @property
    def pesq_min(self) -> float:
        """Of the worst utterance; NaN where there is none."""
        return min(self.pesq, default=math.nan)


def judge(performance: Performance, trace: Trace, utterances: int | None = None) -> Verdict:
    """`utterances`: how many PESQ hears, evenly spread; all where it is None."""
    clean, played = trace.material.pcm, performance.played
    traced = runs(played, clean)
    delays_ms = delays(traced, trace)
    return Verdict(
        pesq=tuple(_pesq(played, clean, traced, span) for span in _spread(trace.material.spans, utterances)),
        delay_mean_ms=float(np.mean(delays_ms)),
        delay_p95_ms=float(np.quantile(delays_ms, 0.95)),
        device_mean_ms=float(np.mean(performance.device_ms)),
        clicks_s=tuple(at / RATE for at in clicks(played, clean, traced)),
        counts=performance.counts,
        device_underruns=performance.device_underruns,
        speech_lost_ms=speech_lost_ms(traced, trace.material),
        target_at_end_ms=target_at_end_ms(performance, trace),
        recovery_s=recovery(performance, traced, trace),
    )


def delays(traced: Sequence[Run], trace: Trace) -> NDArray[np.float64]:
    """How late what is heard is, in ms, for every eighth sample that is a copy of a clean one."""
    late = [np.zeros(0)]
    for run in traced:
        at = np.arange(run.start, run.stop, _EVERY)
        late.append(at / RATE - trace.earliest_of(at + run.lag))
    return np.concatenate(late) * 1000


def speech_lost_ms(traced: Sequence[Run], material: Material) -> float:
    """See `Verdict.speech_lost_ms`; counted by blocks of 10 ms of which nothing was heard."""
    heard = np.zeros(len(material.pcm) + 2, dtype=np.int64)
    for run in traced:
        heard[run.start + run.lag + 1] += 1
        heard[run.stop + run.lag + 1] -= 1
    # Silence around makes every piece that is not heard begin and end with a step.
    copied = np.cumsum(heard) > 0
    copied[0] = copied[-1] = True
    steps = np.flatnonzero(np.diff(copied))
    lost = np.zeros(len(material.pcm), dtype=bool)
    for start, stop in zip(steps[::2], steps[1::2], strict=True):
        lost[start:stop] = stop - start > _LONGEST_STRETCH
    blocks = 0
    for span in material.spans:
        whole = (span.stop - span.start) // _SPEECH_BLOCK * _SPEECH_BLOCK
        said, gone = (of[span.start : span.start + whole].reshape(-1, _SPEECH_BLOCK) for of in (material.pcm, lost))
        loud = np.sqrt(np.mean(said.astype(np.float64) ** 2, axis=1)) > _LEAST_SPEECH
        blocks += int(np.count_nonzero(loud & gone.all(axis=1)))
    return blocks * _SPEECH_BLOCK * 1000 / RATE


def target_at_end_ms(performance: Performance, trace: Trace) -> float:
    """See `Verdict.target_at_end_ms`. What happens after the last arrival is no part of it."""
    end_s = trace.arrivals_s[-1]
    inside = (performance.pull_s > end_s - _AT_END_S) & (performance.pull_s <= end_s)
    return float(performance.target_ms[inside].max())


def recovery(performance: Performance, traced: Sequence[Run], trace: Trace) -> float:
    """See `Verdict.recovery_s`. The delay is that of the player alone, at the moment it is pulled."""
    heard = sources(traced, performance.pull_at)
    known = heard >= 0
    pull_s = performance.pull_s[known]
    over_ms = (pull_s - trace.earliest_of(heard[known])) * 1000 - performance.target_ms[known]
    longest_s = 0.0
    for number, end_s in enumerate(trace.stalls_end_s):
        # Until the next stall begins: its end less its length, and a moment.
        later = trace.stalls_end_s[number + 1 :]
        until_s = later[0] - 2.5 if later else float("inf")
        inside = (pull_s > end_s) & (pull_s < until_s)
        times_s, far = pull_s[inside], np.abs(over_ms[inside]) > SETTLED_MS
        if not len(times_s) or far[-1]:
            return float("inf")
        last = times_s[int(np.flatnonzero(far)[-1]) + 1] if far.any() else times_s[0]
        longest_s = max(longest_s, float(last) - end_s)
    return longest_s


def _spread(spans: Sequence[Span], count: int | None) -> Sequence[Span]:
    if count is None or count >= len(spans):
        return spans
    return [spans[round(number)] for number in np.linspace(0, len(spans) - 1, count)]


def _pesq(played: Pcm, clean: Pcm, traced: Sequence[Run], span: Span) -> float:
    start, stop = place(traced, span.start), place(traced, span.stop)
    if start is None:
        return _WORST_PESQ
    if stop is None:
        stop = len(played)
    reference = clean[max(0, span.start - _MARGIN) : span.stop + _MARGIN]
    heard = played[max(0, start - _MARGIN) : stop + _MARGIN + _LATE]
    if not heard.any():
        return _WORST_PESQ
    return float(pesq.pesq(RATE, reference, heard, "nb"))
