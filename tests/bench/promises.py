"""The figures of `scripts/bench audio`, and which of them are promised of ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tests.bench.audio import Result
from tests.bench.judging import Verdict
from tests.bench.players import PLAYERS
from tests.rig.figures import Bound, Figures

LEAST_PESQ: Final = 4.2
"""On a network that only drifts,"""
_ONLY_DRIFTS: Final = ("steady", "fast", "slow")
LONGEST_RECOVERY_S: Final = 2.0
MOST_TARGET_BUSY_MS: Final = 80.0
"""That this machine oversleeps is no jitter of the network's, and no reason to hold more back."""
_MAY_CLICK: Final = ("long-stalls", "busy")
"""More is missing than any player was allowed to hold back; a device that nobody feeds falls silent as it stands."""
_NOT_FOR_PESQ: Final = ("music",)
_NOT_COMPARED: Final = (*_NOT_FOR_PESQ, "busy")


def add_figures(figures: Figures, results: Sequence[Result]) -> None:
    """Everything measured, and what is promised of ours."""
    for result in results:
        _add_verdict(figures, result)
    verdicts = {(result.job.trace, result.job.player): result.verdict for result in results}
    for trace in dict.fromkeys(result.job.trace for result in results):
        mine = verdicts[trace, "ours"]
        others = [player for player in PLAYERS if player != "ours" and (trace, player) in verdicts]
        for player in others:
            other = verdicts[trace, player]
            if trace not in _NOT_COMPARED:
                figures.add(f"{_prefix(trace)}_beaten_by_{player}", int(beaten(mine, other)), max=0)
            if trace == "music":
                figures.add(f"music_later_than_{player}", int(mine.delay_mean_ms > other.delay_mean_ms), max=0)
        if trace == "stall":
            figures.add("stall_recovery_s", mine.recovery_s, max=LONGEST_RECOVERY_S)


def beaten(ours: Verdict, other: Verdict) -> bool:
    """The other one sounds better, be it by a hair, and is not a moment later."""
    return other.pesq_mean > ours.pesq_mean and other.delay_mean_ms <= ours.delay_mean_ms


def named_quick(figures: Figures) -> Figures:
    """The same under names that say that it was no full run."""
    quick = Figures()
    for name, value in figures.values.items():
        bound = figures.bounds.get(name, Bound(value, None, None))
        quick.add(f"quick_{name}", value, max=bound.max, min=bound.min)
    return quick


def _add_verdict(figures: Figures, result: Result) -> None:
    trace, player, verdict = result.job.trace, result.job.player, result.verdict
    ours = player == "ours"
    name = f"{_prefix(trace)}_{player}"
    if trace not in _NOT_FOR_PESQ:
        figures.add(f"{name}_utterances", result.utterances)
        figures.add(f"{name}_pesq_mean", verdict.pesq_mean, min=LEAST_PESQ if ours and trace in _ONLY_DRIFTS else None)
        figures.add(f"{name}_pesq_min", verdict.pesq_min)
    figures.add(f"{name}_delay_mean_ms", verdict.delay_mean_ms)
    figures.add(f"{name}_delay_p95_ms", verdict.delay_p95_ms)
    figures.add(f"{name}_device_mean_ms", verdict.device_mean_ms)
    figures.add(f"{name}_clicks", len(verdict.clicks_s), max=0 if ours and trace not in _MAY_CLICK else None)
    figures.add(f"{name}_concealed_ms", verdict.counts.concealed_ms)
    figures.add(f"{name}_dropped_ms", verdict.counts.dropped_ms)
    figures.add(f"{name}_speech_lost_ms", verdict.speech_lost_ms, max=0 if ours and trace == "late-heads" else None)
    figures.add(f"{name}_underruns", verdict.counts.underruns, max=0 if ours and trace == "music" else None)
    figures.add(f"{name}_device_underruns", verdict.device_underruns)
    if ours:
        figures.add(f"{name}_accelerated", verdict.counts.accelerated)
        figures.add(f"{name}_expanded", verdict.counts.expanded)
        most_ms = MOST_TARGET_BUSY_MS if trace == "busy" else None
        figures.add(f"{name}_target_at_end_ms", verdict.target_at_end_ms, max=most_ms)


def _prefix(trace: str) -> str:
    return trace.replace("-", "_")
