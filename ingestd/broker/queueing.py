"""A lock that goes to whoever has waited longest: in a crowd nobody is passed by until his patience is over."""

from __future__ import annotations

from collections import deque
from threading import Lock


class Queueing:
    """One holder at a time, in the order in which they asked. Any thread."""

    def __init__(self) -> None:
        self._looking = Lock()
        self._taken = False
        self._waiting: deque[Lock] = deque()
        """Of each who waits a lock that is let go when it is his turn."""

    def acquire(self, timeout: float) -> bool:
        """Whether it was our turn within `timeout` seconds; then `release` is to be called."""
        with self._looking:
            if not self._taken:
                self._taken = True
                return True
            mine = Lock()
            mine.acquire()
            self._waiting.append(mine)
        if mine.acquire(timeout=timeout):
            return True
        with self._looking:
            if mine not in self._waiting:  # it came just as we gave up
                return True
            self._waiting.remove(mine)
        return False

    def release(self) -> None:
        """Hands it on; whoever asks meanwhile waits."""
        with self._looking:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False
