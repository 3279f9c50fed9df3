"""How often handlers may reply on one topic: two devices that answer each other would else do so for ever. Pure."""

from __future__ import annotations

from typing import Final

BURST: Final = 10
"""So many at once."""
EVERY_S: Final = 1.0
"""And then one in so long."""


class ReplyRate:
    """One thread; times are CLOCK_MONOTONIC seconds. As many topics as the configuration has are kept."""

    def __init__(self) -> None:
        self._free_s: dict[str, float] = {}
        """When as many as BURST may go at once again."""

    def take(self, topic: str, now: float) -> bool:
        """True where one more may go now, which then counts."""
        free_s = max(now, self._free_s.get(topic, now))
        if free_s - now > (BURST - 1) * EVERY_S:
            return False
        self._free_s[topic] = free_s + EVERY_S
        return True
