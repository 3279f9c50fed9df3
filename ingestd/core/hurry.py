"""How often a wait may be ended early: what the network says must not undo the backoff. Pure."""

from __future__ import annotations

from collections import deque
from typing import Final

_AT_ONCE: Final = 3
"""Link, address and route come one after the other, and what begins before the last of them is in vain."""


class Hurry:
    """A few early ends at once, but in the long run one every `every_s`. One thread; CLOCK_MONOTONIC seconds."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._used_s: deque[float] = deque(maxlen=_AT_ONCE)

    def from_s(self, now: float) -> float:
        """From when on a wait may be ended."""
        if len(self._used_s) < _AT_ONCE:
            return now
        return max(now, self._used_s[0] + _AT_ONCE * self._every_s)

    def use(self, at_s: float) -> None:
        """A wait ends then."""
        self._used_s.append(at_s)

    def restore(self) -> None:
        """All is well: the next few are at once again."""
        self._used_s.clear()
