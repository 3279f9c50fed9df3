"""Waiting times between attempts: exponential backoff with full jitter.

After M. Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015): each wait is uniform between
zero and a ceiling that doubles, so that a fleet that lost the same server does not come back as one.
"""

from __future__ import annotations

from collections.abc import Callable

from ingestd.core.times import DEFAULT
from ingestd.errors import DeviceError, UnfitDeviceError


class Backoff:
    """One sequence of attempts. `random` gives uniform numbers in [0, 1). One thread."""

    def __init__(
        self,
        random: Callable[[], float],
        base_s: float = DEFAULT.backoff_base_s,
        cap_s: float = DEFAULT.backoff_cap_s,
        least_s: float = 0.0,
    ) -> None:
        """No wait is shorter than `least_s`."""
        self._random = random
        self._least_s = least_s
        self._base_s = base_s
        self._cap_s = cap_s
        self.attempts = 0
        """Waits handed out since the last `reset`."""

    def next_s(self, took_s: float = 0.0) -> float:
        """How long to wait before the next attempt, seconds, where the last one took `took_s`.

        That counts against the cap alone: taken off the wait it would bring all who timed out back in step.
        """
        # The exponent is bounded: after years of a dead backend 2**attempts would be a number of megabytes.
        ceiling = min(max(0.0, self._cap_s - took_s), self._base_s * 2.0 ** min(self.attempts, 32))
        self.attempts += 1
        return self._least_s + self._random() * max(0.0, ceiling - self._least_s)

    def reset(self) -> None:
        """The last attempt proved good: the next wait starts from the base again."""
        self.attempts = 0


class Reopening:
    """When a device that was lost is opened again: soon, but ever less soon while it is unfit. The device's thread.

    Without jitter, as nobody else waits for it, and not seldom at once, as what was just plugged in may answer oddly.
    """

    def __init__(self, soon_s: float) -> None:
        self._soon_s = soon_s
        self._unfit = Backoff(lambda: 1.0, soon_s, UnfitDeviceError.RETRY_S)

    def wait_s(self, error: DeviceError) -> float:
        """How long to wait after this error, seconds."""
        if isinstance(error, UnfitDeviceError):
            return self._unfit.next_s()
        self._unfit.reset()
        return self._soon_s
