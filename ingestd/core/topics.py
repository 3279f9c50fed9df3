"""The topics this device listens to: those of the configuration and those that local programs asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

MAX_TOPICS: Final = 256


class TopicSet:
    """Grows, never shrinks; every new connection subscribes to all of it. One writer, any reader."""

    def __init__(self, topics: Iterable[str]) -> None:
        self._topics = tuple(dict.fromkeys(topics))

    def all(self) -> tuple[str, ...]:
        """As they are now. Any thread."""
        return self._topics

    def add(self, topic: str) -> bool:
        """Takes one more; False where there are too many already. Control thread."""
        if topic in self._topics:
            return True
        if len(self._topics) >= MAX_TOPICS:
            return False
        self._topics = (*self._topics, topic)  # replaced whole: whoever iterates has the old one
        return True
