"""What the clients are still to be told, in order: enough of it for a room's whole history at once, but bounded."""

from __future__ import annotations

import threading
from collections import deque
from typing import Final, NamedTuple

MAX_BYTES: Final = 8 << 20
"""Of lines and what they take beside. Ten thousand messages of a few hundred bytes, and no more memory than that."""
_EACH_BYTES: Final = 100


class News(NamedTuple):
    """A line, for whoever listens to `topic`; None: for everybody."""

    topic: str | None
    line: bytes


class NewsQueue:
    """Any thread puts, one takes. What finds no room is counted; it is the newest, so that what comes is in order."""

    def __init__(self, most_bytes: int = MAX_BYTES) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()  # for the sum only: held for some hundred nanoseconds
        self._bytes = 0
        self._news: deque[News] = deque()
        self.missed = 0
        """Any thread reads it."""

    def __len__(self) -> int:
        return len(self._news)

    def put(self, topic: str | None, line: bytes, always: bool = False) -> None:
        """Never waits for whoever takes. `always`: it is the device's own, which no stranger can make a flood."""
        with self._lock:
            if not always and self._bytes + len(line) + _EACH_BYTES > self._most_bytes:
                self.missed += 1
                return
            self._bytes += len(line) + _EACH_BYTES
        self._news.append(News(topic, line))

    def take(self) -> News | None:
        """The oldest; None where there is none. One thread."""
        if not self._news:
            return None
        news = self._news.popleft()
        with self._lock:
            self._bytes -= len(news.line) + _EACH_BYTES
        return news
