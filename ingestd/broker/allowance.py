"""How often something costly may happen, whoever asks for it: a token bucket. Pure."""

from __future__ import annotations


class Allowance:
    """So many at once, and one more in each further period. One thread at a time."""

    def __init__(self, most: int, one_each_s: float) -> None:
        self._most = most
        self._one_each_s = one_each_s
        self._left = float(most)
        self._then_s: float | None = None

    def take(self, now_s: float) -> bool:
        """Whether one more may happen at the monotonic time `now_s`; if so, it counts."""
        since_s = 0.0 if self._then_s is None else max(0.0, now_s - self._then_s)
        self._then_s = now_s
        self._left = min(float(self._most), self._left + since_s / self._one_each_s)
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True

    def next_s(self) -> float:
        """Seconds from the last `take` until one more may happen; 0 where it may at once."""
        return max(0.0, (1.0 - self._left) * self._one_each_s)
