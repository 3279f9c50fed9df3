"""The figures of `scripts/bench peers`: medians of the rounds, what is promised of them, and the rounds themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tests.bench.peers.measuring import FRAME_MS, LongRun, Sample
from tests.rig.figures import Figures

Samples = Mapping[str, Sequence[Sample]]
"""The rounds of each contender."""

CPU_TO_FLOOR, CPU_TO_NODE, TLS_CPU_TO_NODE = 2.0, 0.4, 0.5
ALSA_CPU_TO_FLOOR, ALSA_CPU_TO_NODE = 3.5, 1.0
RSS_TO_NODE, RSS_OVER_THREADS_MIB = 0.35, 2.0
GAP_P50_OVER_FLOOR_MS, GAP_P99_TO_FLOOR, PERIOD_OFF_PPM = 0.1, 1.5, 20.0
LATENCY_P50_MS, LATENCY_P99_MS = 5.0, 15.0
_FRAMES_PER_S: Final = (49.0, 51.0)
_MOST_UNHEARD: Final = 5
"""Frames on their way while a contender is ended."""
_MOST_SILENT: Final = 5
"""A tenth of a second in which the sound system was late; none was seen."""
_KEEPS_TIME: Final = ("floor", "ours", "ours_alsa")
"""The others send a frame too few every second or so; the table says how many."""


@dataclass(frozen=True)
class Results:
    """All that was measured."""

    plain: Samples
    tls: Samples
    long: Mapping[str, LongRun]
    """Empty where there was none."""


def values(sample: Sample) -> dict[str, float]:
    """One round's numbers, by name with unit."""
    found = {
        "cpu_ms_per_s": sample.cpu_ms_per_s,
        "own_cpu_ms_per_s": sample.own_cpu_ms_per_s,
        "rss_mib": sample.rss_mib,
        "wakeups_per_s": sample.wakeups_per_s,
        "gap_error_p50_ms": float(np.quantile(sample.gap_errors_ms, 0.5)),
        "gap_error_p99_ms": float(np.quantile(sample.gap_errors_ms, 0.99)),
        "up_per_s": sample.up_per_s,
        "down_per_s": sample.down_per_s,
        "unheard_frames": float(sample.unheard_frames),
        "strange_frames": float(sample.strange_frames),
        "silent_frames": float(sample.silent_frames),
    }
    if len(sample.latency_ms):
        found["latency_p50_ms"] = float(np.quantile(sample.latency_ms, 0.5))
        found["latency_p99_ms"] = float(np.quantile(sample.latency_ms, 0.99))
    return found


def medians(samples: Sequence[Sample]) -> dict[str, float]:
    """Of each of those numbers over the rounds."""
    rounds = [values(sample) for sample in samples]
    return {name: float(np.median([each[name] for each in rounds])) for name in rounds[0]}


def of(results: Results) -> Figures:
    """Every figure, with its bound where one is promised."""
    figures = Figures()
    for prefix, samples in (("", results.plain), ("tls_", results.tls)):
        for name, rounds in samples.items():
            for quantity, value in medians(rounds).items():
                least, most = _bound(name, quantity)
                figures.add(f"{prefix}{name}_{quantity}", value, max=most, min=least)
    _check(figures, results)
    _compare(figures, results)
    for name, long in results.long.items():
        off_ppm = abs(long.period_ms / FRAME_MS - 1) * 1e6
        figures.add(f"{name}_long_rss_mib", long.rss_mib)
        figures.add(f"{name}_period_ms", long.period_ms)
        figures.add(f"{name}_period_off_ppm", off_ppm, max=PERIOD_OFF_PPM if name == "ours" else None)
    for name, value in _raw(results):
        figures.add(name, value)
    return figures


def quick(results: Results) -> Figures:
    """The same under names that say that it was no full run, and without bounds: one round shows nothing."""
    figures = Figures()
    for name, value in of(results).values.items():
        figures.add(f"quick_{name}", value)
    return figures


def _bound(name: str, quantity: str) -> tuple[float | None, float | None]:
    """Least and most of a median, whatever the transport."""
    if quantity == "up_per_s" and name in _KEEPS_TIME:
        return _FRAMES_PER_S
    most = {"latency_p50_ms": LATENCY_P50_MS, "latency_p99_ms": LATENCY_P99_MS} if name == "ours" else {}
    return None, most.get(quantity)


def _check(figures: Figures, results: Results) -> None:
    """Whether every contender did in every round what it was there for."""
    of_all = [sample for samples in (results.plain, results.tls) for rounds in samples.values() for sample in rounds]
    least, most = _FRAMES_PER_S
    figures.add("all_least_down_per_s", min(sample.down_per_s for sample in of_all), min=least)
    figures.add("all_most_down_per_s", max(sample.down_per_s for sample in of_all), max=most)
    figures.add("all_most_unheard_frames", max(sample.unheard_frames for sample in of_all), max=_MOST_UNHEARD)
    figures.add("all_strange_frames", sum(sample.strange_frames for sample in of_all), max=0)
    figures.add("all_most_silent_frames", max(sample.silent_frames for sample in of_all), max=_MOST_SILENT)


def _compare(figures: Figures, results: Results) -> None:
    plain = {name: medians(rounds) for name, rounds in results.plain.items()}
    tls = {name: medians(rounds) for name, rounds in results.tls.items()}
    floor, node, ours, alsa = (plain[name] for name in ("floor", "node", "ours", "ours_alsa"))
    cpu, own, rss, p50, p99 = "cpu_ms_per_s", "own_cpu_ms_per_s", "rss_mib", "gap_error_p50_ms", "gap_error_p99_ms"
    figures.add("ours_cpu_to_floor", ours[cpu] / floor[cpu], max=CPU_TO_FLOOR)
    figures.add("ours_cpu_to_node", ours[cpu] / node[cpu], max=CPU_TO_NODE)
    figures.add("tls_ours_cpu_to_node", tls["ours"][cpu] / tls["node"][cpu], max=TLS_CPU_TO_NODE)
    figures.add("ours_alsa_own_cpu_to_floor", alsa[own] / floor[cpu], max=ALSA_CPU_TO_FLOOR)
    figures.add("ours_alsa_own_cpu_to_node", alsa[own] / node[cpu], max=ALSA_CPU_TO_NODE)
    figures.add("ours_alsa_plugin_cpu_ms_per_s", alsa[cpu] - alsa[own])
    # Beside the ratios of the medians: a machine whose speed changes between rounds bends these less.
    for prefix, of_rounds in (("", results.plain), ("tls_", results.tls)):
        for name, other in (("ours", "floor"), ("ours", "node"), ("ours_alsa", "floor"), ("ours_alsa", "node")):
            if other in of_rounds:
                ratio = _ratio_by_round(of_rounds[name], of_rounds[other])
                figures.add(f"{prefix}{name}_cpu_to_{other}_by_round", ratio)
    for prefix, of_transport in (("", plain), ("tls_", tls)):
        mine, others, threads = (of_transport[name][rss] for name in ("ours", "node", "threads"))
        figures.add(f"{prefix}ours_rss_to_node", mine / others, max=RSS_TO_NODE)
        figures.add(f"{prefix}ours_rss_over_threads_mib", mine - threads, max=RSS_OVER_THREADS_MIB)
    if results.long:
        long = {name: run.rss_mib for name, run in results.long.items()}
        figures.add("ours_long_rss_to_node", long["ours"] / long["node"])
        figures.add("ours_long_rss_over_threads_mib", long["ours"] - long["threads"])
    figures.add("ours_gap_error_p50_over_floor_ms", ours[p50] - floor[p50], max=GAP_P50_OVER_FLOOR_MS)
    figures.add("ours_gap_error_p99_to_floor", ours[p99] / floor[p99], max=GAP_P99_TO_FLOOR)


def _ratio_by_round(mine: Sequence[Sample], others: Sequence[Sample]) -> float:
    """The median of what each round says by itself; of ours on ALSA its own threads' time."""
    ratios = [one.own_cpu_ms_per_s / other.cpu_ms_per_s for one, other in zip(mine, others, strict=True)]
    return float(np.median(ratios))


def _raw(results: Results) -> Iterator[tuple[str, float]]:
    for prefix, samples in (("", results.plain), ("tls_", results.tls)):
        for name, rounds in samples.items():
            for number, sample in enumerate(rounds, 1):
                for quantity, value in values(sample).items():
                    yield f"round_{number}_{prefix}{name}_{quantity}", value
