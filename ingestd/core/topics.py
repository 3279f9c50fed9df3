"""The topics this device listens to: those of the configuration and those that local programs asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

MAX_TOPICS: Final = 256


class TopicSet:
    """What every connection is to be subscribed to. Each part has one writer; any thread reads."""

    def __init__(self, topics: Iterable[str]) -> None:
        self._configured = tuple(dict.fromkeys(topics))
        self._asked: tuple[str, ...] = ()

    def all(self) -> tuple[str, ...]:
        """As they are now. Any thread."""
        return tuple(dict.fromkeys((*self._configured, *self._asked)))

    def has_room_for(self, topic: str) -> bool:
        """False where there are too many already. Any thread."""
        known = self.all()
        return topic in known or len(known) < MAX_TOPICS

    def asked(self, topics: Iterable[str]) -> None:
        """Local programs want these now, and no others. Control thread."""
        self._asked = tuple(sorted(topics))  # replaced whole: whoever iterates has the old one

    def follow(self, topics: Iterable[str]) -> None:
        """The configuration has these now, and no others. Supervisor."""
        self._configured = tuple(dict.fromkeys(topics))
