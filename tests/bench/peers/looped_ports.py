"""Sound devices in memory that cost next to nothing: what is measured with them is the daemon. No numpy here."""

from __future__ import annotations

import time
from array import array

from ingestd.audio.ports import Block, Negotiated
from ingestd.core.wire import FRAME_BYTES, FRAME_S, FRAME_SAMPLES, SAMPLE_RATE_HZ


class LoopedSource:
    """A microphone on an absolute grid of 20 ms that hears the same audio over and over (`ports.Source`)."""

    def __init__(self, pcm: bytes, stamps_s: array[float] | None = None) -> None:
        """`pcm`: whole frames. `stamps_s` gets, by frame, when its read returned (CLOCK_REALTIME)."""
        self._frames = [pcm[at : at + FRAME_BYTES] for at in range(0, len(pcm), FRAME_BYTES)]
        self._stamps_s = stamps_s
        self._start_s = 0.0
        self._number = 0

    def open(self) -> Negotiated:
        """See `ports.Source`."""
        self._start_s = time.monotonic()
        self._number = 0
        return Negotiated("looped", FRAME_SAMPLES, 20 * FRAME_SAMPLES)

    def read(self, timeout_s: float) -> Block | None:
        """See `ports.Source`."""
        frame = self._frames[self._number % len(self._frames)]
        self._number += 1
        left_s = self._start_s + self._number * FRAME_S - time.monotonic()
        if left_s > 0:
            time.sleep(left_s)
        if self._stamps_s is not None:
            self._stamps_s.append(time.time())
        return Block(frame, time.monotonic(), False)

    def close(self) -> None:
        """See `ports.Source`."""


class TimedSink:
    """A speaker that plays at its rate whatever it was given, and keeps nothing of it (`ports.Sink`)."""

    _BUFFER_SAMPLES = 3200

    def __init__(self) -> None:
        self.underruns = 0
        """See `ports.Sink`."""
        self._written = 0
        self._queued = 0
        self._start_s = 0.0

    def open(self) -> Negotiated:
        """See `ports.Sink`."""
        self._written = self._queued = 0
        return Negotiated("timed", FRAME_SAMPLES // 2, self._BUFFER_SAMPLES)

    def queued(self) -> int:
        """See `ports.Sink`."""
        left = self._written and self._written - int((time.monotonic() - self._start_s) * SAMPLE_RATE_HZ)
        if left < 0:
            self.underruns += 1
            left = self._written = 0
        self._queued = left
        return left

    def write(self, pcm: bytes) -> int:
        """See `ports.Sink`."""
        if not self._written:
            self._start_s = time.monotonic()
        samples = min(len(pcm) // 2, self._BUFFER_SAMPLES - self._queued)  # whoever writes has just asked
        self._written += samples
        self._queued += samples
        return samples

    def close(self) -> None:
        """See `ports.Sink`."""
