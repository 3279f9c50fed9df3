"""Between the network and the speaker: a bounded queue of room audio. Pure; the receiver thread's own.

Playing starts once the target delay is queued, so that ordinary jitter finds something left; what exceeds the
bound is dropped, oldest first, so that delay never grows with the age of the call; what is missing is silence.
"""

from __future__ import annotations

from typing import Final

from ingestd.core.wire import SAMPLE_RATE_HZ

TARGET_DELAY_MS: Final = 80
_BYTES_PER_MS: Final = SAMPLE_RATE_HZ // 1000 * 2


class Playout:
    """Room audio waiting to be played: 16-bit mono PCM at 8 kHz."""

    def __init__(self, max_delay_ms: int, target_delay_ms: int = TARGET_DELAY_MS) -> None:
        self._target_bytes = min(target_delay_ms, max_delay_ms) * _BYTES_PER_MS
        self._max_bytes = max_delay_ms * _BYTES_PER_MS
        self._queue = bytearray()
        self._playing = False
        self.underruns = 0
        self.dropped_samples = 0
        self.concealed_samples = 0
        """Silence played where room audio was due and had not come."""

    @property
    def delay_ms(self) -> float:
        """What is queued, milliseconds."""
        return len(self._queue) / _BYTES_PER_MS

    @property
    def target_ms(self) -> float:
        """The delay at which playing starts, milliseconds."""
        return self._target_bytes / _BYTES_PER_MS

    def push(self, pcm: bytes) -> None:
        """Room audio has come in: a whole number of samples."""
        self._queue += pcm
        excess = len(self._queue) - self._max_bytes
        if excess > 0:
            # Down to the target, not just under the bound: one audible jump instead of one with every frame.
            excess = len(self._queue) - self._target_bytes
            del self._queue[:excess]
            self.dropped_samples += excess // 2

    def pull(self, samples: int) -> bytes:
        """The next `samples` to play."""
        wanted = samples * 2
        if not self._playing and len(self._queue) >= self._target_bytes:
            self._playing = True
        if not self._playing:
            return bytes(wanted)
        out = bytes(self._queue[:wanted])
        del self._queue[:wanted]
        missing = wanted - len(out)
        if missing:
            self._playing = False
            self.underruns += 1
            self.concealed_samples += missing // 2
            out += bytes(missing)
        return out

    def clear(self) -> None:
        """A new connection: what the old one left is no longer now."""
        self._queue.clear()
        self._playing = False
