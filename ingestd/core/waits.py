"""When the next attempt is made: by the cause, by what a server asked for, sooner where something changed. Pure."""

from __future__ import annotations

from collections.abc import Callable

from ingestd.core.hurry import Hurry
from ingestd.core.retry import Retry, cause_of
from ingestd.core.times import Times


class Waits:
    """One device's. One thread; times are CLOCK_MONOTONIC seconds."""

    def __init__(self, retry: Retry, random: Callable[[], float], times: Times) -> None:
        """`random` gives uniform numbers in [0, 1)."""
        self._retry = retry
        self._random = random
        self._times = times
        self._hurry = Hurry(times.hurry_every_s)
        self.not_before_s = 0.0
        """What a server asked for."""

    def until_s(self, now: float, error: Exception, took_s: float) -> float:
        """When to try again after `error`, which ended an attempt that took so long, or (0) a connection."""
        asked_s = getattr(error, "retry_after_s", None)
        self.not_before_s = now + (asked_s or 0.0)
        return now + self._retry.wait_s(cause_of(error), asked_s, took_s)

    def may_end(self, now: float) -> bool:
        """A wait may be ended early now: chatter must not undo the backoff."""
        return self._hurry.from_s(now) <= now

    def sooner_s(self, now: float, until_s: float | None) -> float:
        """When to try again where something changed that attempts depend on; not later than `until_s`."""
        jitter_s = self._times.network_jitter_s
        soon_s = max(self._hurry.from_s(now), self.not_before_s) + self._random() * jitter_s
        if until_s is not None and until_s <= soon_s:
            return until_s
        if until_s is None or until_s - now > jitter_s:
            self._hurry.use(soon_s)  # link, address and route of one return are one
        return soon_s

    def later_s(self, now: float, until_s: float | None) -> float:
        """When to do what many devices have a reason for at the same moment, and none is pressed to."""
        soon_s = max(now, self.not_before_s) + self._random() * self._times.renew_jitter_s
        return soon_s if until_s is None else min(soon_s, until_s)

    def good(self) -> None:
        """A connection has lasted long enough: all waits begin anew."""
        self._retry.good()
        self._hurry.restore()
