"""Test tones and how to find them again in what was heard."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def tone(frequency_hz: float, seconds: float, amplitude: float = 8000.0) -> bytes:
    """A sine as 16-bit 8 kHz mono PCM."""
    at_s = np.arange(int(seconds * 8000)) / 8000
    samples: NDArray[np.int16] = np.rint(amplitude * np.sin(2 * np.pi * frequency_hz * at_s)).astype("<i2")
    return samples.tobytes()


def level(pcm: bytes, frequency_hz: float) -> float:
    """Amplitude of one frequency in PCM (0 to 32767), as the mean over its whole length."""
    samples = np.frombuffer(pcm, dtype="<i2").astype(np.float64)
    if not len(samples):
        return 0.0
    turn = np.exp(-2j * np.pi * frequency_hz * np.arange(len(samples)) / 8000)
    return float(2 * abs(np.dot(samples, turn)) / len(samples))


def contains(pcm: bytes | bytearray, part: bytes) -> bool:
    """Whether `part` occurs in `pcm`, bit for bit, at a sample's beginning."""
    at = pcm.find(part)
    while at >= 0 and at % 2:
        at = pcm.find(part, at + 1)
    return at >= 0
