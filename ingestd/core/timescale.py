"""Changing the length of speech by one pitch period without a seam. Pure; samples are `array("h")`, 8 kHz mono.

WSOLA by a single period (Verhelst and Roelands, ICASSP 1993), as NetEQ's accelerate and pre-emptive expand use it: a
period is taken out by cross-fading the one before the joint into the one after it, and put in by cross-fading what
follows back into what came before. Both ends of the fade then lie between samples that were neighbours all along.
"""

from __future__ import annotations

import math
from array import array
from typing import Final

from ingestd.core.energy import dot, energy

LEAST_LAG: Final = 20
"""Samples, 2.5 ms: a voice of 400 Hz."""
MOST_LAG: Final = 128
"""16 ms: 62.5 Hz."""
WINDOW: Final = 120
"""Samples compared: 15 ms, longer than a period of most voices."""


def cross_fade(out: array[int], into: array[int]) -> array[int]:
    """From `out` to `into`, linearly; both of one length."""
    n = len(out)
    return array("h", [(a * (n - i) + b * i) // n for i, (a, b) in enumerate(zip(out, into, strict=True), start=1)])


def find_period(signal: array[int], at: int) -> tuple[int, float]:
    """The lag by which the WINDOW from `at` on most resembles what was before, and the correlation there (−1 to 1).

    Needs MOST_LAG samples before `at` and WINDOW from it on. Looks at every second lag of every second sample first.
    """
    coarse = _best_coarse_lag(signal, at)
    here = signal[at : at + WINDOW]
    energy_here = energy(here) or 1
    found = (coarse, -1.0)
    for lag in range(max(LEAST_LAG, coarse - 1), min(MOST_LAG, coarse + 1) + 1):
        there = signal[at - lag : at - lag + WINDOW]
        energy_there = energy(there) or 1
        correlation = dot(here, there) / math.sqrt(energy_here * energy_there)
        if correlation > found[1]:
            found = (lag, correlation)
    return found


def _best_coarse_lag(signal: array[int], at: int) -> int:
    here = signal[at : at + WINDOW : 2]
    best, best_score = LEAST_LAG, 0.0
    for lag in range(LEAST_LAG, MOST_LAG + 1, 2):
        there = signal[at - lag : at - lag + WINDOW : 2]
        product = dot(here, there)
        if product <= 0:
            continue
        score = product * product / (energy(there) or 1)
        if score > best_score:
            best, best_score = lag, score
    return best


def without_period(signal: array[int], at: int, lag: int) -> array[int]:
    """`signal` shorter by `lag` samples before `at`; at ≥ lag, and `lag` samples from `at` on are needed."""
    return signal[: at - lag] + cross_fade(signal[at - lag : at], signal[at : at + lag]) + signal[at + lag :]


def extra_period(before: array[int], after: array[int], lag: int) -> array[int]:
    """`lag` samples that fit between `before`, which was played last, and `after`, which comes next."""
    return cross_fade(after[:lag], before[-lag:])
