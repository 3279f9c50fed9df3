"""How many sessions a process asks the service for at a time; who waits for a place, and who is sent away."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from ingestd.broker.answers import spread_s
from ingestd.broker.errors import Refused

_WAIT_S: Final = 1.0
_WAITING_SHARE: Final = 6
"""One may wait for each so many places: who waits holds a thread, which webhooks and people need too."""


class Gate:
    """The places of one process. Any thread."""

    def __init__(self, places: int, random: Callable[[], float], wait_s: float = _WAIT_S) -> None:
        """`random` gives uniform numbers in [0, 1); `wait_s` is how long a request waits for a place."""
        self._random = random
        self._wait_s = wait_s
        self._places = threading.Semaphore(places)
        self._waiting = threading.Semaphore(max(1, places // _WAITING_SHARE))

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place for as long as the context lasts. Raises Refused (429) where none becomes free in time."""
        if not self._places.acquire(blocking=False):
            self._wait()
        try:
            yield
        finally:
            self._places.release()

    def _wait(self) -> None:
        if self._waiting.acquire(blocking=False):
            try:
                if self._places.acquire(timeout=self._wait_s):
                    return
            finally:
                self._waiting.release()
        raise Refused(429, "The broker is busy", code="busy", retry_after_s=spread_s(self._random))
