"""What the recordings of the virtual machine tell. All times are the guest's CLOCK_MONOTONIC, seconds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tests.rig.align import align
from tests.rig.speech import Span
from tests.rig.wav import RATE, Pcm

HIGHEST = 30000
"""The last number that guest/count.c plays before it begins again at 1."""

Event = tuple[float, str, int]
Times = NDArray[np.float64]


@dataclass(frozen=True)
class Break:
    """Where numbered samples do not follow each other: `silent` zeros put in, `missing` numbers left out."""

    at_s: float
    silent: int
    missing: int


def breaks(samples: Pcm, frame_times_s: Times) -> list[Break]:
    """Every break in frames of 160 numbered samples that arrived at those times; silence before the first is none."""
    numbered = np.flatnonzero(samples)
    numbers = samples[numbered].astype(np.int64)
    missing = (np.diff(numbers) - 1) % HIGHEST
    silent = np.diff(numbered) - 1
    return [
        Break(float(frame_times_s[numbered[k + 1] // 160]), int(silent[k]), int(missing[k]))
        for k in np.flatnonzero((missing != 0) | (silent != 0))
    ]


def first_sound_s(samples: Pcm, frame_times_s: Times, after_s: float) -> float:
    """When the first frame arrived after that time in which not all is silence; NaN where none did."""
    sounding = np.any(samples.reshape(-1, 160), axis=1) & (frame_times_s > after_s)
    return float(frame_times_s[np.argmax(sounding)]) if np.any(sounding) else float("nan")


def first_heard_s(heard: Pcm, events: Sequence[Event], after_s: float) -> float:
    """When the first sound after that time was heard by guest/record.c; NaN where none was."""
    opened = next((event for event in events if event[1] == "open" and event[0] > after_s), None)
    if opened is None:
        return float("nan")
    later = events[events.index(opened) + 1 :]
    ends = next((k for k, event in enumerate(later) if event[1] == "lost"), len(later))
    if not ends:
        return float("nan")
    last = later[ends][2] if ends < len(later) else later[-1][2]
    sounding = np.flatnonzero(heard[opened[2] : last])
    # Notes are late or on time, never early.
    origin_s = min(at_s - count / RATE for at_s, _, count in later[:ends])
    return float(origin_s + (opened[2] + sounding[0]) / RATE) if len(sounding) else float("nan")


@dataclass(frozen=True)
class Line:
    """Which sample was heard when, while a clock ran evenly: second = origin_s + sample × period_s."""

    origin_s: float
    period_s: float

    @property
    def ppm(self) -> float:
        """By how much the clock of those samples ran fast."""
        return (1 / (self.period_s * RATE) - 1) * 1e6


def line(events: Iterable[Event], from_s: float, until_s: float) -> Line:
    """The line of a program's notes between two times, by the most punctual quarter of them."""
    noted = np.array([(count, at_s) for at_s, event, count in events if event == "at" and from_s < at_s < until_s])
    first = noted[0].copy()
    noted -= first
    slope, level = np.polyfit(noted[:, 0], noted[:, 1], 1)
    for _ in range(3):  # each time nearer to the notes that nothing made late
        late = noted[:, 1] - slope * noted[:, 0]
        punctual = noted[late <= np.quantile(late, 0.25)]
        slope, level = np.polyfit(punctual[:, 0], punctual[:, 1], 1)
    return Line(float(first[1] + level - slope * first[0]), float(slope))


def late_s(events: Sequence[Event], limit_s: float) -> list[tuple[float, float]]:
    """Spans in which a program's notes, every 1600 samples, stood still for so much longer, or it lost samples."""
    spans = []
    for before, event in pairwise(events):
        stood_s = event[0] - before[0] - (event[2] - before[2]) / RATE
        if event[1] == "xrun" or (before[1] != "lost" and event[1] == "at" and stood_s > limit_s):
            spans.append((before[0], event[0]))
    return spans


def share_covered(spans: Iterable[tuple[float, float]], from_s: float, until_s: float) -> float:
    """How much of that time lies in one of the spans at least, 0 to 1."""
    covered_s, told_s = 0.0, from_s
    for start_s, end_s in sorted(spans):
        more_s = min(end_s, until_s) - max(start_s, told_s)
        if more_s > 0:
            covered_s += more_s
            told_s = end_s
    return covered_s / (until_s - from_s)


def delays(
    heard: Pcm, when: Line, said: Pcm, spans: Sequence[Span], began_s: float, from_s: float, until_s: float
) -> Times:
    """(second, delay in seconds) of every second of speech said from `from_s` to `until_s`: shape (n, 2).

    `said` is said again and again from `began_s` on, by the guest's clock. Where the sound is not found, there is none.
    """
    found = []
    rounds_s = len(said) / RATE
    for turn in range(int((from_s - began_s) // rounds_s), int((until_s - began_s) // rounds_s) + 1):
        for span in spans:
            said_s = began_s + turn * rounds_s + span.start / RATE
            if said_s < from_s or said_s + (span.stop - span.start) / RATE > until_s - 1.0:
                continue
            first = round((said_s - when.origin_s) / when.period_s)
            window = heard[max(0, first) : first + span.stop - span.start + RATE]
            for block in align(window, said[span.start : span.stop], about_s=0.3, search_s=0.4).blocks:
                if block.correlation > 0.7:
                    heard_s = when.origin_s + (first + (block.start_s + block.lag_s) * RATE) * when.period_s
                    found.append((said_s + block.start_s, heard_s - said_s - block.start_s))
    return np.array(found, dtype=np.float64).reshape(-1, 2)


def creep_ms(points: Times) -> float:
    """How much the delay has grown from the first minute to the last (medians, ms); NaN where there is too little."""
    if len(points) < 10:
        return float("nan")
    minutes = [points[points[:, 0] < points[0, 0] + 60, 1], points[points[:, 0] > points[-1, 0] - 60, 1]]
    return float(1000 * (np.median(minutes[1]) - np.median(minutes[0])))
