"""The players that are compared: ours as it ships, and two that are written down here, with the same interface."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from ingestd.core.playout import Playout

MAX_DELAY_MS: Final = 400
"""What ours and the fixed one may queue; the daemon's own default."""
_BYTES_PER_MS: Final = 16


class Player(Protocol):
    """What `ingestd.core.playout.Playout` offers, and all that the bench asks of any player."""

    underruns: int
    dropped_samples: int
    concealed_samples: int
    accelerated: int
    expanded: int

    @property
    def delay_ms(self) -> float:
        """What is queued, milliseconds."""

    @property
    def target_ms(self) -> float:
        """What it wants to have queued, milliseconds."""

    def push(self, pcm: bytes) -> None:
        """Room audio has come in."""

    def pull(self, samples: int) -> bytes:
        """The next `samples` to play."""

    def starved(self, samples: int) -> None:
        """The device ran dry for so long because it was not fed."""

    def clear(self) -> None:
        """A new connection."""


class _Primed:
    """A queue that plays once it holds enough, and waits for as much again after it ran dry."""

    def __init__(self, prime_ms: int) -> None:
        self._prime_bytes = prime_ms * _BYTES_PER_MS
        self._queue = bytearray()
        self._playing = False
        self._dry = False
        self.underruns = 0
        self.dropped_samples = 0
        self.concealed_samples = 0
        """Silence since an underrun, up to the moment it plays again."""
        self.accelerated = 0
        self.expanded = 0

    @property
    def delay_ms(self) -> float:
        """What is queued, milliseconds."""
        return len(self._queue) / _BYTES_PER_MS

    @property
    def target_ms(self) -> float:
        """What it waits for before it plays, milliseconds."""
        return self._prime_bytes / _BYTES_PER_MS

    def push(self, pcm: bytes) -> None:
        """Room audio has come in."""
        self._queue += pcm

    def pull(self, samples: int) -> bytes:
        """The next `samples` to play."""
        if not self._playing:
            self._playing = len(self._queue) >= self._prime_bytes
        if not self._playing:
            if self._dry:
                self.concealed_samples += samples
            return bytes(2 * samples)
        self._dry = False
        ready = self._available(2 * samples)
        out = bytes(self._queue[:ready])
        del self._queue[:ready]
        if ready < 2 * samples:
            self._playing = False
            self._dry = True
            self.underruns += 1
            self.concealed_samples += samples - ready // 2
        return out + bytes(2 * samples - ready)

    def _available(self, wanted: int) -> int:
        return min(wanted, len(self._queue))

    def starved(self, samples: int) -> None:
        """The device ran dry for so long because it was not fed: nothing to such a player."""

    def clear(self) -> None:
        """A new connection."""
        self._queue.clear()
        self._playing = self._dry = False


class Vendor(_Primed):
    """The player of the vendor's browser example (`videosdk-socket-ingest-example`, app.js, July 2026).

    As there: a queue without bound; playing begins with 120 ms queued; the very last sample stays in the queue (the
    interpolation needs one after it); where it runs dry the rest is zeros and 120 ms are waited for again. Not as
    there: a browser asks for 1024 samples at a time, 128 ms, which alone is more delay than is counted against it here.
    """

    def __init__(self) -> None:
        super().__init__(120)

    def _available(self, wanted: int) -> int:
        return max(0, min(wanted, len(self._queue) - 2))


class Fixed(_Primed):
    """A fixed buffer of 200 ms, bounded: over 400 ms the oldest is dropped; after it ran dry, 200 ms again."""

    def __init__(self) -> None:
        super().__init__(200)

    def push(self, pcm: bytes) -> None:
        """Room audio has come in."""
        super().push(pcm)
        excess = len(self._queue) - MAX_DELAY_MS * _BYTES_PER_MS
        if excess > 0:
            del self._queue[:excess]
            self.dropped_samples += excess // 2


def ours() -> Player:
    """What the daemon plays through."""
    return Playout(MAX_DELAY_MS)


PLAYERS: Final[dict[str, Callable[[], Player]]] = {"ours": ours, "vendor": Vendor, "fixed": Fixed}
