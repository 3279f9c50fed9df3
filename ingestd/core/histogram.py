"""A histogram of durations in fixed memory, for figures that a daemon keeps for years."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

_EDGES_MS: Final = tuple(0.1 * 1.25**i for i in range(52))  # 0.1 ms to 8.7 s, each 25 % above the last


class Histogram:
    """Counts by bucket; percentiles are right to 25 %, the maximum is exact. One writer; any reader."""

    def __init__(self) -> None:
        self._counts = [0] * (len(_EDGES_MS) + 1)
        self.max_ms = 0.0

    def add_ms(self, value_ms: float) -> None:
        """Counts one duration, milliseconds."""
        self._counts[bisect_left(_EDGES_MS, value_ms)] += 1
        if value_ms > self.max_ms:
            self.max_ms = value_ms

    def percentile_ms(self, percent: float) -> float:
        """The upper edge of the bucket in which `percent` of all durations end; 0 without any."""
        wanted = sum(self._counts) * percent / 100.0
        if not wanted:
            return 0.0
        seen = 0
        for edge, count in zip((*_EDGES_MS, self.max_ms), self._counts, strict=True):
            seen += count
            if seen >= wanted:
                return min(edge, self.max_ms)
        return self.max_ms
