"""The last faults of the daemon, each told once per occurrence however often it repeats."""

from __future__ import annotations

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
    """Per area (the session, each sound device) one fault is current at most. Supervisor, but for `all`."""

    def __init__(self) -> None:
        self._faults: tuple[Fault, ...] = ()
        self._current: dict[str, str] = {}
        self._over_s: dict[tuple[str, str], float] = {}

    def all(self) -> tuple[Fault, ...]:
        """Oldest first. Any thread."""
        return self._faults

    def add(self, area: str, key: str, what: str, now: float, wall: float) -> bool:
        """It went wrong; True where that is a new occurrence. `now` is CLOCK_MONOTONIC, `wall` since 1970, seconds."""
        again = self._current.get(area) == key or now - self._over_s.get((area, key), -FLAPPING_S) < FLAPPING_S
        self._current[area] = key
        known = next((fault for fault in self._faults if (fault.area, fault.key) == (area, key)), None)
        others = tuple(fault for fault in self._faults if fault is not known)
        count = known.count + 1 if known is not None and again else 1
        fault = Fault(area, key, what, wall) if known is None else replace(known, what=what, last=wall, count=count)
        self._faults = (*others, fault)[-KEPT:]  # replaced whole: readers in other threads keep the old one
        return not again

    def over(self, area: str, now: float) -> bool:
        """All is well in this area again; True where it was already well shortly before (it comes and goes)."""
        key = self._current.pop(area, None)
        if key is None:
            return False
        was_s = self._over_s.get((area, key), -FLAPPING_S)
        self._over_s = {place: s for place, s in self._over_s.items() if now - s < FLAPPING_S}
        self._over_s[area, key] = now
        return now - was_s < FLAPPING_S
