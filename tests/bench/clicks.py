"""Finds the clicks that a player put into speech: discontinuities beyond those that the clean speech has itself.

Speech is full of sudden changes of its own, one in every glottal period, so what counts is not how sudden a change is
but whether the clean sound has one there too. Linear prediction (order 12 over 30 ms) says what the next sample ought
to be. Where copies of the clean sound meet (`tracing`), its error is held against the errors that the clean sound shows
within a millisecond of both sides of the seam. A cross-fade of like pieces stays below them; a splice, a step to
silence or a single wrong sample does not. What was made up has no counterpart in the clean sound, but where a fade
begins: further on an error has to stand out from all others within 17 ms, predicted from past and future alike.

After S. Godsill and P. Rayner, "Digital Audio Restoration" (1998), chapter 5: clicks as outliers of the residual of an
autoregressive model. The comparison with the clean sound is added here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from tests.bench.tracing import KEY, Run, runs
from tests.rig.wav import Pcm

Signal = NDArray[np.float64]

ORDER = 12
_WINDOW = 240  # 30 ms
_NEAR = 8  # 1 ms: how exactly a sudden change of the clean sound has to be where the player's is
_FAR = 136  # 17 ms: another glottal period is within, of a voice of 60 Hz too
_AFTER = 16  # samples after a seam whose prediction still leans on what was before it
_FADE = 160  # 20 ms: what was made up between two copies is taken for a fade up to this length
_FLOOR = 75.0  # −53 dBFS: nobody hears it beside speech
_SHARE = 0.05  # of the speech's own height: what a fade of 5 ms, which does not click, is off the prediction
_SEAM_RATIO = 1.5
_ALONE_RATIO = 2.0
_APART = 80  # 10 ms: what is closer is one click


def clicks(played: Pcm, clean: Pcm, traced: Sequence[Run] | None = None) -> list[int]:
    """Where in `played` the clicks are. `traced`: what `runs` said, if it is known already."""
    if traced is None:
        traced = runs(played, clean)
    suspects: list[int] = []
    for zone in _zones(played, traced):
        suspects += _at_seam(played, clean, zone) if zone.lags else _alone(played, zone)
    found: list[int] = []
    for at in sorted(suspects):
        if not found or at - found[-1] >= _APART:
            found.append(at)
    return found


@dataclass(frozen=True)
class _Zone:
    """played[start:stop] is to be judged by the clean sound at these lags, or by itself where there are none."""

    start: int
    stop: int
    lags: tuple[int, ...]


def _zones(played: Pcm, traced: Sequence[Run]) -> Iterable[_Zone]:
    pieces = list(_pieces(played, traced))
    for before, here, after in zip([None, *pieces], [*pieces, None], [*pieces[1:], None, None], strict=False):
        if here is None:
            continue
        if isinstance(here, Run):
            # Where a run begins; the end of one is the beginning of what follows it.
            if isinstance(before, Run):
                yield _Zone(here.start, here.start + _AFTER, (before.lag, here.lag))
            elif before is not None and before.silent:
                yield _Zone(here.start, here.start + _AFTER, (here.lag,))
        elif here.silent:
            if isinstance(before, Run):
                yield _Zone(here.start, here.start + _AFTER, (before.lag,))
        else:
            # A fade begins in the sound before it; what it leads to may have been through another one.
            if isinstance(before, Run) and here.stop - here.start <= _FADE:
                around = tuple(piece.lag for piece in (before, after) if isinstance(piece, Run))
                yield _Zone(here.start, here.start + _AFTER, around)
            yield _Zone(here.start, here.stop + _AFTER, ())


@dataclass(frozen=True)
class _Gap:
    start: int
    stop: int
    silent: bool


def _pieces(played: Pcm, traced: Sequence[Run]) -> Iterable[Run | _Gap]:
    at = 0
    for run in (*traced, Run(len(played), len(played), 0)):
        if run.start > at:
            yield from _gaps(played, at, run.start)
        if run.stop > run.start:
            yield run
        at = run.stop


def _gaps(played: Pcm, start: int, stop: int) -> Iterable[_Gap]:
    """What lies between two copies, by turns silent for KEY samples or more, and made up."""
    zero = np.concatenate([[0], (played[start:stop] == 0).astype(np.int8), [0]])
    begins, ends = np.flatnonzero(np.diff(zero) == 1), np.flatnonzero(np.diff(zero) == -1)
    at = start
    for begin, end in zip(begins + start, ends + start, strict=True):
        if end - begin < KEY:
            continue
        if begin > at:
            yield _Gap(at, int(begin), False)
        yield _Gap(int(begin), int(end), True)
        at = int(end)
    if stop > at:
        yield _Gap(at, stop, False)


def _at_seam(played: Pcm, clean: Pcm, zone: _Zone) -> list[int]:
    first, last = zone.start - _NEAR, zone.stop + _NEAR
    heard = _cut(played, first - ORDER, last)
    sides = [_cut(clean, first - ORDER + lag, last + lag) for lag in zone.lags]
    tolerated = _FLOOR + _SHARE * max(float(np.abs(side).max()) for side in sides)
    excess = np.full(zone.stop - zone.start, np.inf)
    for lag in zone.lags:
        model = _model(_cut(clean, zone.start + lag - _WINDOW // 2, zone.start + lag + _WINDOW // 2))
        natural = np.max([_local_maximum(_errors(side, model), _NEAR) for side in sides], axis=0)
        errors = _errors(heard, model)[_NEAR:-_NEAR]
        excess = np.minimum(excess, errors - _SEAM_RATIO * natural - tolerated)
    return [zone.start + int(np.argmax(excess))] if excess.max() > 0 else []


def _alone(played: Pcm, zone: _Zone) -> list[int]:
    first, last = zone.start - _FAR - 1, zone.stop + _FAR + 1
    sound = _cut(played, first - _WINDOW, last + _WINDOW)
    scores = []
    for errors in (_own_errors(sound), _own_errors(sound[::-1])[::-1]):
        inside = errors[_WINDOW:-_WINDOW]
        beside = sliding_window_view(inside, _FAR - _NEAR).max(axis=1)
        count = zone.stop - zone.start + 2
        others = np.maximum(beside[:count], beside[_FAR + _NEAR + 1 :][:count])
        scores.append(_widened(inside[_FAR : _FAR + count] - _ALONE_RATIO * others - _FLOOR))
    excess = np.minimum(*scores)
    return [zone.start - 1 + int(at) for at in np.flatnonzero(excess > 0)]


def _widened(errors: Signal) -> Signal:
    """From the past and from the future, the same break shows a few samples apart."""
    widest: Signal = sliding_window_view(np.pad(errors, 2, constant_values=-np.inf), 5).max(axis=1)
    return widest


def _local_maximum(errors: Signal, reach: int) -> Signal:
    """Of each sample but the first and the last `reach`, the greatest within `reach`."""
    greatest: Signal = sliding_window_view(errors, 2 * reach + 1).max(axis=1)
    return greatest


def _errors(sound: Signal, model: Signal) -> Signal:
    """How far each sample but the first ORDER is from what those before it let expect."""
    errors: Signal = np.abs(np.convolve(sound, model, mode="valid"))
    return errors


def _own_errors(sound: Signal) -> Signal:
    """The same by models of the sound itself, one every 5 ms; 0 for the first and last 15 ms."""
    hop = 40
    errors = np.zeros(len(sound))
    for start in range(_WINDOW // 2, len(sound) - _WINDOW // 2, hop):
        middle = start + hop // 2
        model = _model(sound[max(0, middle - _WINDOW // 2) : middle + _WINDOW // 2])
        piece = _errors(sound[start - ORDER : start + hop], model)
        errors[start : start + len(piece)] = piece
    return errors


def _model(sound: Signal) -> Signal:
    """The prediction-error filter of a piece of sound, by autocorrelation."""
    tapered = sound * np.hanning(len(sound))
    products = np.correlate(tapered, tapered, mode="full")[len(tapered) - 1 :][: ORDER + 1]
    products[0] = products[0] * 1.0001 + len(sound)
    lags = np.abs(np.subtract.outer(np.arange(ORDER), np.arange(ORDER)))
    return np.concatenate([[1.0], -np.linalg.solve(products[lags], products[1:])])


def _cut(sound: Pcm, start: int, stop: int) -> Signal:
    """A piece of it, with silence for what lies outside."""
    piece = np.zeros(stop - start)
    low, high = max(0, start), min(len(sound), stop)
    if low < high:
        piece[low - start : high - start] = sound[low:high]
    return piece
