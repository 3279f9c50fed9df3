"""Whole requests that no thread is free for: neither for long nor too much of them. Pure; one thread."""

from __future__ import annotations

from collections import deque
from typing import Final

from ingestd.broker.arrivals import Whole
from ingestd.broker.connection import Connection

WAITS_AT_MOST_S: Final = 3.0
"""Who has waited longer is told to come again: the answer would come too late anyhow."""


class Ready:
    """First come, first served."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._held = 0
        self._queue: deque[tuple[Connection, Whole, float]] = deque()

    def __len__(self) -> int:
        """Requests."""
        return len(self._queue)

    def put(self, connection: Connection, whole: Whole, now: float) -> bool:
        """At the end; False, and nothing is kept, where it would be too much. `now` is monotonic."""
        if self._held + len(whole.data) > self._most:
            return False
        self._held += len(whole.data)
        self._queue.append((connection, whole, now))
        return True

    def take(self) -> tuple[Connection, Whole]:
        """The first."""
        connection, whole, _ = self._queue.popleft()
        self._held -= len(whole.data)
        return connection, whole

    def take_late(self, now: float) -> list[Connection]:
        """Those that have waited too long, which are kept no more."""
        late = []
        while self._queue and now - self._queue[0][2] > WAITS_AT_MOST_S:
            late.append(self.take()[0])
        return late
