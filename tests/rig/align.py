"""Finds what was spoken in what was heard: how like it is, how late, and by how much the two clocks drift."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.rig.speech import Span
from tests.rig.wav import RATE, Pcm

Signal = NDArray[np.float64]

_BAND = (300.0, 3400.0)  # hertz: what a telephone carries
_ENVELOPE_STEP = 40  # samples: 5 ms
_FINER = 8  # lags are found to this fraction of a sample
_WORTH_UNDOING, _BELIEVABLE = 20e-6, 3000e-6  # drifts; a steeper one is a lost piece
_QUIET = 0.02  # a block of less than this share of the mean energy says nothing about the lag


@dataclass(frozen=True)
class Block:
    """A second of it, aligned by itself."""

    start_s: float
    """Where it stands in what was spoken."""
    lag_s: float
    correlation: float
    weight: float
    """Its share of the energy."""


@dataclass(frozen=True)
class Alignment:
    """How what was heard lies on what was spoken."""

    correlation: float
    """1 for the same sound, however loud; about 0 for another. Blocks count by their energy."""
    lag_s: float
    """By how much it came later (seconds); of several blocks the weighted median."""
    drift_ppm: float
    """By how much the heard clock counts faster; NaN for fewer than three blocks."""
    blocks: tuple[Block, ...]


def band_limit(samples: Pcm | Signal, rate: int = RATE) -> Signal:
    """Keeps 300 to 3400 Hz, without any delay."""
    spectrum = np.fft.rfft(samples.astype(np.float64))
    frequencies = np.fft.rfftfreq(len(samples), 1 / rate)
    spectrum[(frequencies < _BAND[0]) | (frequencies > _BAND[1])] = 0
    return np.fft.irfft(spectrum, len(samples))


def align(
    heard: Pcm,
    spoken: Pcm,
    *,
    about_s: float = 0.0,
    search_s: float | None = None,
    block_s: float = 1.0,
    slack_s: float = 0.06,
    rate: int = RATE,
) -> Alignment:
    """Aligns a recording with what was spoken.

    The lag is searched for within `search_s` of `about_s` (None: anywhere in the recording), then for each block
    within `slack_s` of that of the block before: so neither drift nor a lost or doubled frame spoils the rest.
    Where the blocks' lags tell of a drift, all is done again with that drift taken out, and the better one stands.
    """
    loud_heard, loud_spoken = band_limit(heard, rate), band_limit(spoken, rate)
    low, high = -len(spoken), len(heard)
    if search_s is not None:
        low, high = (max(low, round((about_s - search_s) * rate)), min(high, round((about_s + search_s) * rate)))
    lag = float(_coarse_lag(loud_heard, loud_spoken, low, high))
    size, slack = min(len(spoken), round(block_s * rate)), round(slack_s * rate)
    found = _summary(_blocks(loud_heard, loud_spoken, lag, size, slack, rate))
    stretch = found.drift_ppm * 1e-6
    if not _WORTH_UNDOING <= abs(stretch) <= _BELIEVABLE:
        return found
    first = found.blocks[0]
    lag = (first.lag_s - stretch * first.start_s) / (1 + stretch) * rate
    steady = _blocks(_compressed(loud_heard, 1 + stretch), loud_spoken, lag, size, slack, rate)
    undone = [
        Block(b.start_s, (b.start_s + b.lag_s) * (1 + stretch) - b.start_s, b.correlation, b.weight) for b in steady
    ]
    return max(found, _summary(undone), key=lambda alignment: alignment.correlation)


def align_each(
    heard: Pcm, spoken: Pcm, spans: Sequence[Span], *, about_s: float, search_s: float = 0.5, slack_s: float = 0.06
) -> list[Alignment]:
    """Aligns every utterance of a longer sound by itself; lags are counted from the start of both."""
    alignments = []
    for span in spans:
        first = max(0, span.start + round((about_s - search_s) * RATE))
        window = heard[first : span.stop + round((about_s + search_s) * RATE)]
        if len(window) < RATE // 10:  # the recording ended before
            alignments.append(Alignment(0.0, float("nan"), float("nan"), ()))
            continue
        found = align(window, spoken[span.start : span.stop], slack_s=slack_s)
        offset = (first - span.start) / RATE
        blocks = tuple(Block(b.start_s, b.lag_s + offset, b.correlation, b.weight) for b in found.blocks)
        alignments.append(Alignment(found.correlation, found.lag_s + offset, found.drift_ppm, blocks))
    return alignments


def _blocks(heard: Signal, spoken: Signal, lag: float, size: int, slack: int, rate: int) -> list[Block]:
    energy = float(np.mean(spoken**2))
    blocks: list[Block] = []
    for start in range(0, max(1, len(spoken) - size // 2), size):
        block = spoken[start : start + size]
        if float(np.mean(block**2)) < _QUIET * energy or energy == 0.0:
            continue
        found, correlation = _fine_lag(heard, block, start, lag, slack)
        if correlation > 0.5:
            lag = found
        blocks.append(Block(start / rate, found / rate, correlation, float(np.sum(block**2))))
    return blocks


def _compressed(signal: Signal, factor: float) -> Signal:
    """The signal read `factor` times as fast."""
    finer = np.fft.irfft(np.fft.rfft(signal), len(signal) * _FINER) * _FINER
    at = np.arange(int(len(signal) / factor)) * factor
    read: Signal = np.interp(at, np.arange(len(finer)) / _FINER, finer)
    return read


def _summary(blocks: Sequence[Block]) -> Alignment:
    if not blocks:
        return Alignment(0.0, float("nan"), float("nan"), ())
    weights = np.array([block.weight for block in blocks])
    weights /= weights.sum()
    lags = np.array([block.lag_s for block in blocks])
    order = np.argsort(lags)
    middle = order[np.searchsorted(np.cumsum(weights[order]), 0.5)]
    drift = float("nan")
    if len(blocks) >= 3:
        drift = 1e6 * float(np.polyfit([block.start_s for block in blocks], lags, 1, w=np.sqrt(weights))[0])
    shares = tuple(
        Block(block.start_s, block.lag_s, block.correlation, float(weight))
        for block, weight in zip(blocks, weights, strict=True)
    )
    correlation = float(sum(block.weight * block.correlation for block in shares))
    return Alignment(correlation, float(lags[middle]), drift, shares)


def _coarse_lag(heard: Signal, spoken: Signal, low: int, high: int) -> int:
    """The lag, in samples, at which the loudness of both goes together; drift does not blur that."""
    step = _ENVELOPE_STEP
    envelopes = [_envelope(signal, step) for signal in (heard, spoken)]
    scores = _correlate(*envelopes)
    lags = (np.arange(len(scores)) - (len(envelopes[1]) - 1)) * step
    allowed = (lags >= low - step) & (lags <= high + step)
    return int(lags[allowed][np.argmax(scores[allowed])])


def _envelope(signal: Signal, step: int) -> Signal:
    whole = len(signal) // step * step
    loudness: Signal = np.abs(signal[:whole]).reshape(-1, step).mean(axis=1)
    loudness -= loudness.mean()
    return loudness


def _correlate(heard: Signal, spoken: Signal) -> Signal:
    """Σ spoken[i]·heard[i + lag] for lags from 1 − len(spoken) to len(heard) − 1."""
    size = len(heard) + len(spoken) - 1
    product = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(spoken, size))
    return np.roll(np.fft.irfft(product, size), len(spoken) - 1)


def _fine_lag(heard: Signal, block: Signal, start: int, about: float, slack: int) -> tuple[float, float]:
    """The block's lag in samples within `slack` of `about`, and the correlation there."""
    first = start + round(about) - slack
    window = _cut(heard, first, len(block) + 2 * slack)
    size = 1 << (len(window) - 1).bit_length()
    spectrum = np.fft.rfft(window, size) * np.conj(np.fft.rfft(block, size))
    products = np.fft.irfft(spectrum, size * _FINER)[: 2 * slack * _FINER + 1] * _FINER
    ends = np.concatenate([[0.0], np.cumsum(window**2)])
    energies = (ends[len(block) :] - ends[: 2 * slack + 1]) * float(np.sum(block**2))
    scores = products / np.sqrt(np.repeat(energies, _FINER)[: len(products)] + 1e-9)
    best = int(np.argmax(scores))
    return first - start + best / _FINER, float(min(1.0, max(0.0, scores[best])))


def _cut(signal: Signal, first: int, size: int) -> Signal:
    """A piece of it, with silence for what lies outside."""
    piece = np.zeros(size)
    low, high = max(0, first), min(len(signal), first + size)
    if low < high:
        piece[low - first : high - first] = signal[low:high]
    return piece
