"""WAV files to and from the room's PCM."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 8000
"""Sample rate of the room (hertz)."""


def read_pcm(path: Path) -> bytes:
    """A WAV of 16-bit samples at any rate as 8 kHz mono PCM; raises OSError or wave.Error."""
    with wave.open(str(path), "rb") as source:
        if source.getsampwidth() != 2:
            raise wave.Error(f"{path}: {source.getsampwidth() * 8}-bit samples; 16-bit ones are wanted")
        rate_hz, channels = source.getframerate(), source.getnchannels()
        data = np.frombuffer(source.readframes(source.getnframes()), dtype="<i2")
    samples = data.reshape(-1, channels).mean(axis=1)
    if rate_hz != RATE_HZ and len(samples):
        samples = _resampled(samples, round(len(samples) * RATE_HZ / rate_hz))
    rounded: NDArray[np.int16] = np.clip(np.rint(samples), -32768, 32767).astype("<i2")
    return rounded.tobytes()


def _resampled(samples: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """`samples` at another rate, through their spectrum: what does not fit below half the rate is cut off."""
    spectrum = np.fft.rfft(samples)
    wanted = np.zeros(count // 2 + 1, dtype=np.complex128)
    common = min(len(spectrum), len(wanted))
    wanted[:common] = spectrum[:common]
    return np.fft.irfft(wanted, count) * (count / len(samples))


def open_recording(path: Path) -> wave.Wave_write:
    """A WAV to write 8 kHz mono PCM to."""
    target = wave.open(str(path), "wb")  # noqa: SIM115 - the caller writes to it for as long as the call lasts
    target.setnchannels(1)
    target.setsampwidth(2)
    target.setframerate(RATE_HZ)
    return target
