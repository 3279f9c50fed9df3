"""The watchdog's question: does all that has work to do advance? Judged by counters, not by being there. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple


class Watch(NamedTuple):
    """One thing that has to advance."""

    name: str
    counter: Callable[[], int]
    """Samples captured, bytes sent or received, samples played. Any other value than before is an advance, as a new
    connection or device may count from the start."""
    idle: Callable[[], bool]
    """True while there is known to be nothing to do: no link, the device is lost."""
    within_s: float
    """How long it may stand still while it is not idle."""


class Progress:
    """All watches together. One thread; `counter` and `idle` are called in it and must not wait."""

    def __init__(self, watches: Sequence[Watch]) -> None:
        self._watched = [_Watched(watch) for watch in watches]

    def stuck(self, now: float) -> list[str]:
        """The names of those that stood still for too long, in order. Ask once a second; CLOCK_MONOTONIC seconds."""
        return [watched.watch.name for watched in self._watched if watched.is_stuck(now)]


class _Watched:
    """A watch with what was seen of it last."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self._count: int | None = None
        self._asked_s = 0.0
        self._still_since_s = 0.0
        self._excused = False

    def is_stuck(self, now: float) -> bool:
        count, before = self.watch.counter(), self._count
        asked_s, self._asked_s = self._asked_s, now
        self._count = count
        if count != before or self.watch.idle():
            self._still_since_s = now
            self._excused = False
        elif now - asked_s > self.watch.within_s / 2.0 and not self._excused:
            # Nobody asked for that long: the whole process was stopped, so that nothing could advance. Once only, as
            # a machine that is so slow that every question comes late must not hide what is stuck for ever.
            self._still_since_s = now
            self._excused = True
        return now - self._still_since_s >= self.watch.within_s
