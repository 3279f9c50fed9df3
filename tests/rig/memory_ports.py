"""Sound devices in memory that keep real time: a microphone whose every frame says its number, and a speaker."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from ingestd.audio.ports import Block, Negotiated
from ingestd.core.wire import FRAME_SAMPLES, SAMPLE_RATE_HZ

_PATTERN = np.arange(FRAME_SAMPLES, dtype=np.uint32)


def numbered_frame(number: int) -> bytes:
    """Frame `number` (from 1): its number in the first two samples, then a pattern that no other frame has."""
    samples = (_PATTERN * 257 + number * 31).astype(np.uint16)
    samples[0] = number & 0xFFFF
    samples[1] = number >> 16
    return samples.tobytes()


def frame_numbers(frames: NDArray[np.int16]) -> NDArray[np.int64]:
    """Numbers of frames (shape (n, 160)); 0 for silence, −1 for one that is not as it left the microphone."""
    unsigned = frames.view(np.uint16).astype(np.int64)
    numbers = unsigned[:, 0] + (unsigned[:, 1] << 16)
    expected = (_PATTERN[None, :].astype(np.int64) * 257 + numbers[:, None] * 31) & 0xFFFF
    expected[:, :2] = unsigned[:, :2]
    whole = np.all(expected == unsigned, axis=1)
    silent = ~np.any(unsigned, axis=1)
    return np.where(silent, 0, np.where(whole, numbers, -1))


class NumberedSource:
    """A microphone on an absolute grid; `ppm` is how much faster than nominal its crystal runs (`ports.Source`)."""

    def __init__(self, ppm: float = 0.0) -> None:
        self.frame_s = FRAME_SAMPLES / (SAMPLE_RATE_HZ * (1.0 + ppm * 1e-6))
        self.start_s = 0.0
        """When frame 1 began, CLOCK_MONOTONIC: frame n is complete at start_s + n * frame_s."""
        self._number = 0

    def open(self) -> Negotiated:
        """See `ports.Source`."""
        self.start_s = time.monotonic()
        self._number = 0
        return Negotiated("numbered", FRAME_SAMPLES, 20 * FRAME_SAMPLES)

    def read(self, timeout_s: float) -> Block | None:
        """See `ports.Source`."""
        self._number += 1
        left_s = self.start_s + self._number * self.frame_s - time.monotonic()
        if left_s > 0:
            time.sleep(left_s)
        return Block(numbered_frame(self._number), time.monotonic(), False)

    def close(self) -> None:
        """See `ports.Source`."""


class ClockedSink:
    """A speaker that consumes at its rate and keeps what it played, up to `keep_s` seconds (`ports.Sink`).

    `ppm` is how much faster than nominal its crystal runs.
    """

    BUFFER_SAMPLES = 3200

    def __init__(self, keep_s: float = 0.0, ppm: float = 0.0) -> None:
        self.played = bytearray()
        self._rate_hz = SAMPLE_RATE_HZ * (1.0 + ppm * 1e-6)
        self._keep_bytes = int(keep_s * SAMPLE_RATE_HZ) * 2
        self._written = 0
        self._start_s = 0.0
        self._underruns = 0

    @property
    def underruns(self) -> int:
        """See `ports.Sink`."""
        return self._underruns

    def open(self) -> Negotiated:
        """See `ports.Sink`."""
        self._written = 0
        return Negotiated("clocked", FRAME_SAMPLES // 2, self.BUFFER_SAMPLES)

    def queued(self) -> int:
        """See `ports.Sink`."""
        if not self._written:
            return 0
        left = self._written - int((time.monotonic() - self._start_s) * self._rate_hz)
        if left < 0:
            self._underruns += 1
            self._written = 0
            return 0
        return left

    def write(self, pcm: bytes) -> int:
        """See `ports.Sink`."""
        if not self._written:
            self._start_s = time.monotonic()
        samples = min(len(pcm) // 2, self.BUFFER_SAMPLES - self.queued())
        self._written += samples
        if len(self.played) < self._keep_bytes:
            self.played += pcm[: 2 * samples]
        return samples

    def close(self) -> None:
        """See `ports.Sink`."""
