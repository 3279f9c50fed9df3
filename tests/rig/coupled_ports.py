"""A speaker and a microphone in memory, in the same place: what the one plays comes back in the other."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ingestd.audio.ports import Block, Negotiated
from ingestd.core.wire import FRAME_SAMPLES, SAMPLE_RATE_HZ
from tests.rig.echo import response

Samples = NDArray[np.int16]
LOUD = 100
"""A sample of speech rather than of the silence around it."""
_PERIOD = FRAME_SAMPLES // 2
_BUFFER = 3200


class Air:
    """What was played and what reached the microphone, sample by sample from `begun_s` (CLOCK_MONOTONIC) on."""

    def __init__(self, seconds: float, near: Samples, near_after_s: float, near_after_loud: int) -> None:
        """Somebody says `near` once, `near_after_s` after the speaker said so many loud samples and fell silent."""
        self.begun_s = time.monotonic()
        self.played: Samples = np.zeros(round(seconds * SAMPLE_RATE_HZ), np.int16)
        self.heard: Samples = np.zeros_like(self.played)
        self.near_at: int | None = None
        self.on_near: Callable[[], object] = int
        """Called once it is known when the near voice begins."""
        self._near = near
        self._near_after = round(near_after_s * SAMPLE_RATE_HZ)
        self._near_after_loud = near_after_loud
        self._taps = response()
        self._loud = 0
        self._last_loud = 0

    def now(self) -> int:
        """The sample that is being played and captured."""
        return int((time.monotonic() - self.begun_s) * SAMPLE_RATE_HZ)

    def capture(self, first: int) -> Samples:
        """What the microphone hears in the frame from sample `first` on, which is over."""
        end = first + FRAME_SAMPLES
        loud = np.flatnonzero(np.abs(self.played[first:end].astype(int)) >= LOUD)
        if len(loud):
            self._loud += len(loud)
            self._last_loud = first + int(loud[-1])
        if self.near_at is None and self._loud >= self._near_after_loud:
            begins = self._last_loud + self._near_after
            if begins < end:
                self.near_at = begins
                self.on_near()
        around = self.played[max(0, first - len(self._taps)) : end].astype(np.float64)
        frame = np.convolve(around, self._taps)[len(around) - FRAME_SAMPLES : len(around)]
        if self.near_at is not None:
            frame += self._spoken(first, self.near_at)
        captured: Samples = np.clip(np.rint(frame), -32768, 32767).astype(np.int16)
        self.heard[first:end] = captured
        return captured

    def _spoken(self, first: int, near_at: int) -> NDArray[np.float64]:
        at = np.arange(first, first + FRAME_SAMPLES) - near_at
        inside = (at >= 0) & (at < len(self._near))
        return np.where(inside, self._near[np.clip(at, 0, len(self._near) - 1)], 0).astype(np.float64)


class CoupledSource:
    """The microphone (`ports.Source`)."""

    def __init__(self, air: Air) -> None:
        self._air = air
        self._next = 0

    def open(self) -> Negotiated:
        """See `ports.Source`."""
        self._next = self._air.now()
        return Negotiated("coupled microphone", FRAME_SAMPLES, 20 * FRAME_SAMPLES)

    def read(self, timeout_s: float) -> Block | None:
        """See `ports.Source`."""
        first, self._next = self._next, self._next + FRAME_SAMPLES
        left_s = self._air.begun_s + self._next / SAMPLE_RATE_HZ - time.monotonic()
        if left_s > 0:
            time.sleep(left_s)
        return Block(self._air.capture(first).tobytes(), time.monotonic(), False)

    def close(self) -> None:
        """See `ports.Source`."""


class CoupledSink:
    """The speaker (`ports.Sink`)."""

    def __init__(self, air: Air) -> None:
        self._air = air
        self._end = 0
        self._running = False
        self._underruns = 0

    @property
    def underruns(self) -> int:
        """See `ports.Sink`."""
        return self._underruns

    def open(self) -> Negotiated:
        """See `ports.Sink`."""
        self._running = False
        return Negotiated("coupled speaker", _PERIOD, _BUFFER)

    def queued(self) -> int:
        """See `ports.Sink`."""
        left = self._end - self._air.now()
        if self._running and left < 0:
            self._underruns += 1
            self._running = False
        return max(0, left) if self._running else 0

    def write(self, pcm: bytes) -> int:
        """See `ports.Sink`."""
        queued = self.queued()
        samples = np.frombuffer(pcm, np.int16)[: _BUFFER - queued]
        start = self._end if self._running else self._air.now()
        self._air.played[start : start + len(samples)] = samples
        self._end = start + len(samples)
        self._running = True
        return len(samples)

    def close(self) -> None:
        """See `ports.Sink`."""
