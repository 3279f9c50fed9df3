"""Which hosts' IPv6 takes a connection and then lets nothing through, so that it is not waited for again and again."""

from __future__ import annotations

import threading
from typing import Final

_REMEMBERED_S: Final = 600.0
_MOST_HOSTS: Final = 32


class Stalls:
    """Hosts whose IPv6 stalled while their IPv4 did not, for ten minutes each. Any thread; CLOCK_MONOTONIC."""

    def __init__(self) -> None:
        self._until_s: dict[str, float] = {}
        self._lock = threading.Lock()

    def note(self, host: str, now_s: float) -> None:
        """It has just stalled; the host noted longest ago makes room."""
        with self._lock:
            self._until_s.pop(host, None)
            while len(self._until_s) >= _MOST_HOSTS:
                del self._until_s[next(iter(self._until_s))]
            self._until_s[host] = now_s + _REMEMBERED_S

    def lately(self, host: str, now_s: float) -> bool:
        """True where IPv4 is to be taken at once."""
        with self._lock:
            return now_s < self._until_s.get(host, now_s)

    def forget(self, host: str) -> None:
        """IPv4 does not work either now: both are tried again."""
        with self._lock:
            self._until_s.pop(host, None)
