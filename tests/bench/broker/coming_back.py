"""What became of a fleet that had lost its broker, from the attempts of its devices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tests.bench.broker.fleet import Attempt


@dataclass(frozen=True)
class Return:
    """A fleet's way back. Times are CLOCK_MONOTONIC seconds, or seconds since the broker's return."""

    devices: int
    since_s: float
    """When the broker was started again, or the fleet was cut where the broker was never away."""
    listening_s: float
    """When all of them took connections again."""
    attempts: Sequence[Attempt]

    @property
    def back_s(self) -> list[float]:
        """When each device that came back had its session, since the return, in order."""
        return sorted(one.began_s + one.took_s - self.since_s for one in self.attempts if one.status == 200)

    @property
    def all_back_s(self) -> float:
        """The last of them; infinite where one did not come back."""
        back_s = self.back_s
        return back_s[-1] if len(back_s) == self.devices else math.inf

    def back_within_s(self, share: float) -> float:
        """When that share of the fleet was back; infinite where it never was."""
        back_s = self.back_s
        number = math.ceil(share * self.devices)
        return back_s[number - 1] if number <= len(back_s) else math.inf

    def count(self, *statuses: int) -> int:
        """Answers of these statuses."""
        return sum(one.status in statuses for one in self.attempts)

    @property
    def faults(self) -> int:
        """Answers of 500 and more."""
        return sum(one.status >= 500 for one in self.attempts)

    @property
    def unanswered(self) -> int:
        """Requests without an answer though the broker took connections when they began."""
        return sum(one.status == 0 and one.began_s > self.listening_s for one in self.attempts)

    @property
    def told_s(self) -> list[float]:
        """What answers of 429 asked for, in order."""
        return sorted(one.retry_after_s or 0.0 for one in self.attempts if one.status == 429)

    def latency_ms(self, share: float) -> float:
        """Of the requests that got a session: within that, so many of them had it."""
        return float(
            np.quantile([one.took_s * 1000 for one in self.attempts if one.status == 200] or [math.inf], share)
        )

    @property
    def most_per_s(self) -> int:
        """Requests that were answered in the fullest second."""
        times_s = np.sort([one.began_s for one in self.attempts if one.status])
        if not len(times_s):
            return 0
        return int(np.max(np.searchsorted(times_s, times_s + 1.0) - np.arange(len(times_s))))
