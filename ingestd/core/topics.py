"""The topics this device listens to: those of the configuration and those that local programs asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

MAX_TOPICS: Final = 256


class TopicSet:
    """What every new connection subscribes to. Each part has one writer; any thread reads."""

    def __init__(self, topics: Iterable[str]) -> None:
        self._configured = tuple(dict.fromkeys(topics))
        self._asked: tuple[str, ...] = ()

    def all(self) -> tuple[str, ...]:
        """As they are now. Any thread."""
        return tuple(dict.fromkeys((*self._configured, *self._asked)))

    def add(self, topic: str) -> bool:
        """A local program wants it; False where there are too many already. Control thread."""
        known = self.all()
        if topic in known:
            return True
        if len(known) >= MAX_TOPICS:
            return False
        self._asked = (*self._asked, topic)  # replaced whole: whoever iterates has the old one
        return True

    def follow(self, topics: Iterable[str]) -> tuple[list[str], list[str]]:
        """The configuration has these now; which ones are new, and which ones nobody wants any more. Supervisor."""
        before = self.all()
        self._configured = tuple(dict.fromkeys(topics))
        now = self.all()
        return [topic for topic in now if topic not in before], [topic for topic in before if topic not in now]
