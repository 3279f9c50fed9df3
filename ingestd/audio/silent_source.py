"""A microphone that is none: silence in real time, for devices that only have a speaker."""

from __future__ import annotations

import time
from typing import Final

from ingestd.audio.ports import Block, Negotiated
from ingestd.core.wire import FRAME_S, FRAME_SAMPLES, SILENCE

DEVICE: Final = "null"
"""ALSA's own PCM of that name hands out memory that nobody has filled, and as fast as it is asked."""


class SilentSource:
    """See `ports.Source`."""

    def __init__(self) -> None:
        """Closed."""
        self._due_s = 0.0

    def open(self) -> Negotiated:
        """Always there."""
        self._due_s = time.monotonic() + FRAME_S
        return Negotiated(DEVICE, FRAME_SAMPLES, FRAME_SAMPLES)

    def read(self, timeout_s: float) -> Block | None:
        """A frame of zeros every 20 ms."""
        now = time.monotonic()
        if self._due_s - now > timeout_s:
            time.sleep(timeout_s)
            return None
        if now - self._due_s > 1.0:  # this process was stopped: what it missed is not caught up on
            self._due_s = now
        time.sleep(max(0.0, self._due_s - now))
        block = Block(SILENCE, self._due_s, False)
        self._due_s += FRAME_S
        return block

    def close(self) -> None:
        """Nothing to let go of."""
