"""Which sample of the clean sound is heard at each moment: what a player made is taken apart into exact copies.

A player moves samples, drops some, repeats some and fills in others. What it only moved is bit for bit the same as
before, so a run of it is found again by comparing; the noise behind the speech makes every 2 ms of it unlike all other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.rig.wav import RATE, Pcm

KEY = 16
"""Samples that have to agree for a copy to be believed."""
_BACK, _AHEAD = 1 * RATE, 4 * RATE
"""How far a copy may begin from where the last one ended: repeated, or after something was left out."""
_STEP = 8


@dataclass(frozen=True)
class Run:
    """played[start:stop] is clean[start + lag : stop + lag]."""

    start: int
    stop: int
    lag: int


def runs(played: Pcm, clean: Pcm) -> list[Run]:
    """All copies of at least KEY samples in order of time. What lies between them the player made up, or is silence.

    Digital silence is never a copy.
    """
    found: list[Run] = []
    at = reached = told = 0
    while at + KEY <= len(played):
        silent = _length_of_silence(played, at)
        if silent >= KEY:
            at += silent
            continue
        source = _find(played[at : at + KEY], clean, told)
        if source is None:
            at += _STEP
            continue
        lag = source - at
        start = at
        while start > reached and start + lag > 0 and played[start - 1] == clean[start - 1 + lag]:
            start -= 1
        at = reached = _end(played, clean, at, lag)
        told = at + lag
        found.append(Run(start, at, lag))
    return found


def sources(traced: Sequence[Run], positions: NDArray[np.int64]) -> NDArray[np.int64]:
    """The clean sample heard at each of these places of what was played; −1 where it is none."""
    if not traced:
        return np.full(len(positions), -1, dtype=np.int64)
    starts, stops, lags = (np.array([getattr(run, name) for run in traced]) for name in ("start", "stop", "lag"))
    which = np.searchsorted(starts, positions, side="right") - 1
    inside = (which >= 0) & (positions < stops[which])
    return np.where(inside, positions + lags[which], -1)


def place(traced: Sequence[Run], sample: int) -> int | None:
    """Where in what was played this clean sample, or the first one after it, is heard first; None for nowhere."""
    for run in traced:
        if run.stop + run.lag > sample:
            return max(run.start, sample - run.lag)
    return None


def _find(key: Pcm, clean: Pcm, about: int) -> int | None:
    first = max(0, about - _BACK)
    near = clean[first : about + _AHEAD]
    matches = np.flatnonzero(near[: len(near) - KEY + 1] == key[0])
    for offset in range(1, KEY):
        if not len(matches):
            return None
        matches = matches[near[matches + offset] == key[offset]]
    if not len(matches):
        return None
    return int(first + matches[np.argmin(np.abs(matches + first - about))])


def _length_of_silence(played: Pcm, at: int) -> int:
    if played[at : at + KEY].any():
        return 0
    size = 1024
    while not (piece := played[at : at + size]).any():
        if at + size >= len(played):
            return len(played) - at
        size *= 8
    return int(np.argmax(piece != 0))


def _end(played: Pcm, clean: Pcm, at: int, lag: int) -> int:
    size = 1024
    while True:
        ours, theirs = played[at : at + size], clean[at + lag : at + lag + size]
        count = min(len(ours), len(theirs))
        if not count:
            return at
        differ = ours[:count] != theirs[:count]
        if differ.any():
            return at + int(np.argmax(differ))
        at += count
        size = min(size * 4, 1 << 20)
