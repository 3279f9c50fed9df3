"""How long a simulated device waits before it tries again: by the daemon's own policy, or as people write it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ingestd.core.retry import Retry, cause_of
from ingestd.core.times import Times
from ingestd.errors import BackendError


class Policy(Protocol):
    """The waits of one device."""

    def wait_s(self, error: Exception, took_s: float) -> float:
        """How long to wait after this end of an attempt that took so long, or (0) of a connection, seconds."""


class Ours:
    """What the daemon does: `Retry`, asked as `ingestd.threads.call` asks."""

    def __init__(self, random: Callable[[], float], times: Times) -> None:
        self._retry = Retry(random, times)

    def wait_s(self, error: Exception, took_s: float) -> float:
        """See `Policy`."""
        asked_s = error.retry_after_s if isinstance(error, BackendError) else None
        return self._retry.wait_s(cause_of(error), asked_s, took_s)


class Fixed:
    """The same for everybody, always, whatever the server asks for."""

    def __init__(self, wait_s: float) -> None:
        self._wait_s = wait_s

    def wait_s(self, error: Exception, took_s: float) -> float:
        """See `Policy`."""
        return self._wait_s
