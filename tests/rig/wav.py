"""Sound in memory and in files: 16-bit mono PCM as numpy arrays."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE = 8000
"""Frames per second of everything that the rig plays and hears (hertz)."""

Pcm = NDArray[np.int16]


def read_wav(path: Path | str) -> tuple[Pcm, int]:
    """Reads a 16-bit WAV file: (samples, frames per second). Of several channels the first is taken."""
    with wave.open(str(path), "rb") as file:
        if file.getsampwidth() != 2:
            raise ValueError(f"{path}: {8 * file.getsampwidth()} bits a sample, not 16")
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
        return samples[:: file.getnchannels()].astype(np.int16), file.getframerate()


def write_wav(path: Path | str, samples: Pcm, rate: int = RATE) -> None:
    """Writes a 16-bit mono WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())


def silence(seconds: float, rate: int = RATE) -> Pcm:
    """Digital silence."""
    return np.zeros(round(seconds * rate), dtype=np.int16)


def tone(hertz: float, seconds: float, level: float = 0.5, rate: int = RATE) -> Pcm:
    """A sine; `level` 1.0 is full scale."""
    time = np.arange(round(seconds * rate)) / rate
    return (level * 32767 * np.sin(2 * np.pi * hertz * time)).astype(np.int16)


def pitch_of(samples: Pcm, rate: int = RATE) -> float:
    """The strongest frequency in it (hertz), to the nearest spectral line."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate / len(samples))


def rms(samples: Pcm) -> float:
    """Root mean square, 1.0 being full scale."""
    return float(np.sqrt(np.mean((samples / 32768.0) ** 2))) if len(samples) else 0.0
