"""A participant's inbound audio between the network and the room's clock."""

from __future__ import annotations

FRAME_BYTES = 320
"""20 ms of 16-bit mono PCM at 8 kHz (bytes)."""
BYTES_PER_MS = 16
"""PCM bytes in a millisecond."""


class JitterQueue:
    """Gathers some audio before it plays, so that uneven arrival is not heard, and holds only so much.

    It primes again after running dry. A short remainder that never reaches the prime is played once it is as
    old as the prime is long.
    """

    def __init__(self, prime_ms: int, cap_ms: int) -> None:
        self._prime_bytes = prime_ms * BYTES_PER_MS
        self._prime_s = prime_ms / 1e3
        self._cap_bytes = cap_ms * BYTES_PER_MS
        self._held = bytearray()
        self._first_s = 0.0
        self.primed = False
        """Whether audio is playing out."""
        self.dropped_bytes = 0
        """Oldest audio dropped at the cap (bytes)."""
        self.ran_dry = 0
        """How often a primed queue had less than a tick left."""

    @property
    def held_bytes(self) -> int:
        """Audio waiting (bytes)."""
        return len(self._held)

    def push(self, pcm: bytes, now_s: float) -> None:
        """Add audio that arrived at the monotonic time `now_s` (seconds)."""
        if not self._held:
            self._first_s = now_s
        self._held += pcm
        over = len(self._held) - self._cap_bytes
        if self._cap_bytes and over > 0:
            del self._held[:over]
            self.dropped_bytes += over

    def pull(self, now_s: float) -> bytes | None:
        """The next 20 ms, or None while priming or empty; a remainder is filled up with silence."""
        if not self._held:
            if self.primed:
                self.primed = False
                self.ran_dry += 1
            return None
        if not self.primed:
            if len(self._held) < self._prime_bytes and now_s - self._first_s < self._prime_s:
                return None
            self.primed = True
        frame = bytes(self._held[:FRAME_BYTES])
        del self._held[:FRAME_BYTES]
        if len(frame) < FRAME_BYTES:
            self.primed = False
            self.ran_dry += 1
            frame = frame.ljust(FRAME_BYTES, b"\0")
        return frame
