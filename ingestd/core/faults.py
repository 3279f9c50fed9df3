"""The last faults of the daemon, each told once per occurrence however often it repeats."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

KEPT: Final = 16
FLAPPING_S: Final = 30.0
"""What comes again this soon after it was over is still the same occurrence."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that went wrong; `count` times, the last one at `last` (seconds since 1970)."""

    area: str
    key: str
    what: str
    last: float
    count: int = 1


class FaultLog:
    """Faults by area (the session, each sound device), current until all is well there. Supervisor, but for `all`."""

    def __init__(self) -> None:
        self._faults: tuple[Fault, ...] = ()
        self._current: dict[str, tuple[str, ...]] = {}
        self._over_s: dict[tuple[str, str], float] = {}
        self._told: set[str] = set()  # areas of which somebody was told that something is wrong

    def all(self) -> tuple[Fault, ...]:
        """Oldest first. Any thread."""
        return self._faults

    def add(self, area: str, key: str, what: str, now: float, wall: float) -> bool:
        """It went wrong; True where that is a new occurrence. `now` is CLOCK_MONOTONIC, `wall` since 1970, seconds."""
        current = self._current.get(area, ())
        again = key in current or now - self._over_s.get((area, key), -math.inf) < FLAPPING_S
        # Several at once: two that take turns for a week are no news either.
        self._current[area] = (*(other for other in current if other != key), key)[-KEPT:]
        known = next((fault for fault in self._faults if (fault.area, fault.key) == (area, key)), None)
        others = tuple(fault for fault in self._faults if fault is not known)
        count = known.count + 1 if known is not None and again else 1
        fault = Fault(area, key, what, wall) if known is None else replace(known, what=what, last=wall, count=count)
        self._faults = (*others, fault)[-KEPT:]  # replaced whole: readers in other threads keep the old one
        if not again:
            self._told.add(area)
        return not again

    def over(self, area: str, now: float) -> bool:
        """All is well in this area again; True where that is news: not after a fault that was none."""
        self._over_s = {place: s for place, s in self._over_s.items() if now - s < FLAPPING_S}
        keys = self._current.pop(area, ())
        self._over_s.update(((area, key), now) for key in keys)
        news = not keys or area in self._told
        self._told.discard(area)
        return news
