"""Tells what has been seen before, by its id, of the last few hundred. Pure."""

from __future__ import annotations

from typing import Final

_KEPT: Final = 512


class OnlyOnce:
    """Ids of messages, which two connections to one room may both bring. One thread."""

    def __init__(self) -> None:
        self._seen: dict[str, None] = {}

    def is_new(self, message_id: str | None) -> bool:
        """False where it was seen before; what has no id is always new."""
        if not message_id:
            return True
        if message_id in self._seen:
            return False
        self._seen[message_id] = None
        if len(self._seen) > _KEPT:
            del self._seen[next(iter(self._seen))]
        return True
