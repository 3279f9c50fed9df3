"""The last faults of the daemon, each told once per occurrence however often it repeats."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

KEPT: Final = 16
FLAPPING_S: Final = 30.0
"""What comes again this soon after it was over is still the same occurrence, and told only once it lasts this long."""
SELDOMEST_S: Final = 16 * FLAPPING_S
"""Of something that keeps coming again to stay, not even each time is told, but one time in so many seconds is."""


class Fault(NamedTuple):
    """Something that went wrong; `count` times, the last one at `last` (seconds since 1970)."""

    area: str
    key: str
    what: str
    last: float
    count: int = 1  # type: ignore[assignment]  # hides a method of tuples that nobody needs here
    over: bool = False
    """All has been well in its area since."""
    meaning: str = ""
    remedy: str = ""
    """What a person can do about it."""
    name: str = ""
    """Of its kind, for programs: see `core.catalog`; unlike the key it holds nothing of this device or a server."""

    @property
    def told(self) -> str:
        """All of it, in one line."""
        advice = " ".join(part for part in (self.meaning, self.remedy) if part)
        return f"{self.what}: {advice}" if advice else self.what


class _Current(NamedTuple):
    fault: Fault
    untold_since_s: float | None
    """When it came again; None once it was told."""


class FaultLog:
    """Faults by area (the session, each sound device), current until all is well there. Supervisor, but for `all`."""

    def __init__(self) -> None:
        self._faults: tuple[Fault, ...] = ()
        self._current: dict[str, dict[str, _Current]] = {}  # the latest stands last
        self._over_s: dict[tuple[str, str], float] = {}
        self._told: set[str] = set()  # areas of which somebody was told that something is wrong
        self._news: dict[tuple[str, str], tuple[float, float]] = {}  # when it was told, and from when it may be again
        self._kept_back: dict[str, tuple[float, float]] = {}  # by area: until when, and for how long the next time

    def all(self) -> tuple[Fault, ...]:
        """Oldest first. Any thread."""
        return self._faults

    def add(
        self,
        area: str,
        key: str,
        what: str,
        now: float,
        wall: float,
        meaning: str = "",
        remedy: str = "",
        name: str = "",
    ) -> bool:
        """It went wrong; True where that is a new occurrence. `now` is CLOCK_MONOTONIC, `wall` since 1970, seconds."""
        # Several at once: two that take turns for a week are no news either.
        current = self._current.setdefault(area, {})
        present = current.pop(key, None)
        told_s, quiet_until_s = self._news.get((area, key), (-math.inf, -math.inf))
        flapping = now - self._over_s.get((area, key), -math.inf) < FLAPPING_S or now < quiet_until_s
        again = present is not None or flapping
        known = next((fault for fault in self._faults if (fault.area, fault.key) == (area, key)), None)
        others = tuple(fault for fault in self._faults if fault is not known)
        count = known.count + 1 if known is not None and again else 1
        fault = Fault(area, key, what, wall, count, False, meaning, remedy, name)
        if len(others) >= KEPT:  # what lasts stays, even if nothing was said of it for weeks
            oldest = next((other for other in others if other.over), others[0])
            others = tuple(other for other in others if other is not oldest)
        self._faults = (*others, fault)  # replaced whole: readers in other threads keep the old one
        current[key] = _Current(fault, present.untold_since_s if present is not None else now if flapping else None)
        if len(current) > KEPT:
            del current[next(iter(current))]
        if not again:
            # What keeps coming back after a while is told ever more seldom.
            quiet_s = 2 * (quiet_until_s - told_s) if now - told_s < 2 * SELDOMEST_S else FLAPPING_S
            self._news.pop((area, key), None)
            self._news[area, key] = now, now + min(quiet_s, SELDOMEST_S)
            if len(self._news) > 4 * KEPT:
                del self._news[next(iter(self._news))]
            self._told.add(area)
            self._kept_back.pop(area, None)
        return not again

    def lasting(self, now: float) -> list[Fault]:
        """What came again too soon to be news and has stayed since: to be told now, as it is no more than this once.

        Ask about once a second. In each area it is the latest fault, since what it was before is no longer so.
        """
        found = []
        for area, current in self._current.items():
            key, latest = next(reversed(current.items()))
            if latest.untold_since_s is None:
                continue
            since_s = min(one.untold_since_s for one in current.values() if one.untold_since_s is not None)
            until_s, next_s = self._kept_back.get(area, (-math.inf, FLAPPING_S))
            if now - since_s < FLAPPING_S or now < until_s:
                continue
            current[key] = latest._replace(untold_since_s=None)
            self._kept_back[area] = now + next_s, min(2 * next_s, SELDOMEST_S)
            self._told.add(area)
            found.append(latest.fault)
        return found

    def current(self, area: str) -> bool:
        """Something is wrong there now."""
        return bool(self._current.get(area))

    def over(self, area: str, now: float) -> bool:
        """All is well in this area again; True where that is news: not after a fault that was none."""
        self._over_s = {place: s for place, s in self._over_s.items() if now - s < FLAPPING_S}
        keys = self._current.pop(area, {})
        self._over_s.update(((area, key), now) for key in keys)
        self._faults = tuple(fault._replace(over=True) if fault.area == area else fault for fault in self._faults)
        news = not keys or area in self._told
        self._told.discard(area)
        return news


class Loss:
    """The loss of one device: since when, and which of its reasons are word for others. The device's thread."""

    def __init__(self) -> None:
        self.since_s: float | None = None
        """CLOCK_MONOTONIC; None while nothing is lost. Any thread."""
        self._told: set[str] = set()
        self._latest = ""
        self._told_s = -math.inf

    def goes_on(self, key: str, now: float) -> bool:
        """It is lost, for the reason of that key; True where others are to be told.

        A new reason is told at once, one that is back again only every FLAPPING_S: two may take turns for a week.
        """
        if self.since_s is None:
            self.since_s = now
        new = key not in self._told and len(self._told) < KEPT
        if not new and (key == self._latest or now - self._told_s < FLAPPING_S):
            return False
        if new:
            self._told.add(key)
        self._latest = key
        self._told_s = now
        return True

    def over(self) -> None:
        """The device is back."""
        self.since_s = None
        self._told.clear()
        self._latest = ""
