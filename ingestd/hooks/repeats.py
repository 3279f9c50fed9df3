"""What is worth a line of the log: the first of many that are alike, and in the end how many they were. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

QUIET_S: Final = 60.0
"""After so long without another one it is over, and the next is news again."""
MAX_NEWS: Final = 30
"""Within any QUIET_S: whoever floods may be another stranger each time."""
MAX_NEWS_AN_HOUR: Final = 100
"""So that one who goes on for days does not fill the journal."""

_HOUR_S: Final = 3600.0
_MAX_KINDS: Final = 256
_OTHERS: Final = ("others",)


@dataclass(slots=True)
class _Repeat:
    text: str
    last_s: float
    untold: int


class Repeats:
    """One thread; times are CLOCK_MONOTONIC seconds."""

    def __init__(self) -> None:
        self._repeats: dict[tuple[Hashable, ...], _Repeat] = {}
        self._told_s: deque[float] = deque(maxlen=MAX_NEWS_AN_HOUR)

    def is_news(self, now: float, text: str, *key: Hashable) -> bool:
        """What `text` says happened; True where it is to be told. What is alike has the same key."""
        known = self._repeats.get(key)
        often = self._told(MAX_NEWS, now - QUIET_S) or self._told(MAX_NEWS_AN_HOUR, now - _HOUR_S)
        if known is None and (often or len(self._repeats) >= _MAX_KINDS):
            key, text = _OTHERS, "what was too much to be told"
            known = self._repeats.setdefault(key, _Repeat(text, now, 0))
        if known is not None:
            known.last_s = now
            known.untold += 1
            return False
        self._repeats[key] = _Repeat(text, now, 0)
        self._told_s.append(now)
        return True

    def _told(self, times: int, since_s: float) -> bool:
        return len(self._told_s) >= times and self._told_s[-times] > since_s

    def over(self, now: float) -> list[tuple[str, int]]:
        """What has stopped, with how many more there were than were told. Ask at `due_s`, or more often."""
        stopped = [key for key, repeat in self._repeats.items() if now - repeat.last_s >= QUIET_S]
        ended = [self._repeats.pop(key) for key in stopped]
        return [(repeat.text, repeat.untold) for repeat in ended if repeat.untold]

    def due_s(self) -> float | None:
        """When the next of them may be over; None while there is none."""
        if not self._repeats:
            return None
        return QUIET_S + min(repeat.last_s for repeat in self._repeats.values())
