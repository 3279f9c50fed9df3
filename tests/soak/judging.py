"""What the records of a soak say. Pure: times in, numbers out."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

FRAME_S = 0.02
GAP_S = 1.0
"""Media that pause for less than this count as there."""
STAYS_S = 3.0
"""A session that media come by for less than this is no recovery."""
_REF = re.compile(r"vs_[0-9a-f]{6,}")
"""As the room makes them."""
_LEAST_PART = 16

Times = NDArray[np.float64]


def recovered_s(calls: Iterable[Times], from_s: float) -> float | None:
    """When the first frame came, from `from_s` on, of a session that then stayed; None where there is none yet."""
    found = []
    for times in calls:
        later = times[times >= from_s]
        if not len(later):
            continue
        breaks = np.flatnonzero(np.diff(later) >= GAP_S)
        firsts = later[np.concatenate(([0], breaks + 1))]
        lasts = later[np.concatenate((breaks, [len(later) - 1]))]
        stayed = firsts[lasts - firsts >= STAYS_S]
        found += stayed[:1].tolist()
    return min(found, default=None)


def availability_percent(arrivals: Times, begin_s: float, end_s: float) -> float:
    """Share of the time in which media came; `arrivals` in order, of all sessions together."""
    inside = arrivals[(arrivals > begin_s) & (arrivals < end_s)]
    gaps = np.diff(np.concatenate(([begin_s], inside, [end_s])))
    return float(100.0 * (1.0 - gaps[gaps >= GAP_S].sum() / (end_s - begin_s)))


def percentile(values: Sequence[float], percent: float) -> float:
    """The least value that so many percent do not exceed; it may be infinite. NaN of none."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[max(0, int(np.ceil(len(ordered) * percent / 100.0)) - 1)]


def memory_growth_kib(samples: Sequence[tuple[float, int]], begin_s: float, end_s: float) -> float:
    """Median of the last fifth less that of minutes 2 to 4; NaN where the run has no such minutes."""
    early = [held for at_s, held in samples if begin_s + 60 <= at_s < begin_s + 240]
    late = [held for at_s, held in samples if end_s - (end_s - begin_s) / 5 <= at_s <= end_s]
    if not early or not late or end_s - begin_s < 240:
        return float("nan")
    return float(np.median(late) - np.median(early)) / 1024


def medians_of_fifths(samples: Sequence[tuple[float, int]], begin_s: float, end_s: float) -> list[float]:
    """What was held in each fifth of the run, bytes; NaN where nobody looked."""
    edges = np.linspace(begin_s, end_s, 6)
    fifths = [[held for at_s, held in samples if low <= at_s < high] for low, high in itertools.pairwise(edges)]
    return [float(np.median(held)) if held else float("nan") for held in fifths]


def late(times: Times, numbers: NDArray[np.int64], by_s: float) -> int:
    """How many frames of the microphone came later than the quickest of them by so much; `numbers` keep one grid."""
    spoken = numbers > 0
    delays_s = times[spoken] - numbers[spoken] * FRAME_S
    return int(np.sum(delays_s > delays_s.min(initial=np.inf) + by_s))


def doubled(numbers: NDArray[np.int64]) -> int:
    """How many frames of the microphone came more than once."""
    spoken = numbers[numbers > 0]
    return len(spoken) - len(np.unique(spoken))


def leaks(texts: Iterable[str], tokens: Iterable[str]) -> list[str]:
    """What of any token, or of any wsUrl's ref, can be read in the texts; each with some words around it."""
    parts = {part for token in tokens for part in token.split(".")[1:] or [token] if len(part) >= _LEAST_PART}
    known = re.compile("|".join([_REF.pattern, *map(re.escape, sorted(parts))]))
    return [text[max(0, hit.start() - 40) : hit.end()] for text in texts for hit in known.finditer(text)]
