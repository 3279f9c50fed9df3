"""The way from a loudspeaker through the air into the microphone beside it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tests.rig.wav import RATE

COUPLING_DB = -10.0
TAIL_S = 0.06


def response(coupling_db: float = COUPLING_DB, tail_s: float = TAIL_S) -> NDArray[np.float64]:
    """A place's impulse response: noise that dies away by 60 dB within `tail_s`; so much of any sound comes back."""
    count = round(tail_s * RATE)
    noise = np.random.default_rng(60).standard_normal(count)
    taps = noise * 10.0 ** (-3.0 * np.arange(count) / count)
    scaled: NDArray[np.float64] = taps * (10.0 ** (coupling_db / 20.0) / np.sqrt(np.sum(taps**2)))
    return scaled


def echo(played: NDArray[np.int16], taps: NDArray[np.float64]) -> NDArray[np.float64]:
    """What comes back of it, sample for sample, the tail included."""
    size = len(played) + len(taps) - 1
    heard: NDArray[np.float64] = np.fft.irfft(np.fft.rfft(played, size) * np.fft.rfft(taps, size), size)
    return heard


def down_db(said: NDArray[np.int16], back: NDArray[np.int16]) -> float:
    """By how much less comes back than was said, by energy; 200 where nothing does."""
    returned = float(np.sum(back.astype(np.float64) ** 2))
    return 10.0 * float(np.log10(np.sum(said.astype(np.float64) ** 2) / returned)) if returned else 200.0
