"""Messages that are decided upon together, as each decision is a write to the disk. Pure."""

from __future__ import annotations

from typing import Any, Final

EVERY_S: Final = 0.2
"""The first is taken at once; those that follow sooner than this are taken together: flash wears out."""
MOST: Final = 256
"""So many are taken at once, whenever they came."""

Message = dict[str, Any]


class Batch:
    """One thread; times are CLOCK_MONOTONIC seconds."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._next_s = 0.0

    def add(self, message: Message) -> None:
        """It came in."""
        self._messages.append(message)

    def due_s(self) -> float | None:
        """When `take` has something to give; None while there is nothing."""
        if not self._messages:
            return None
        return 0.0 if len(self._messages) >= MOST else self._next_s

    def take(self, now: float) -> list[Message]:
        """What is to be decided upon now, in the order it came."""
        due_s = self.due_s()
        if due_s is None or now < due_s:
            return []
        self._next_s = now + EVERY_S
        messages, self._messages = self._messages, []
        return messages
