"""What is worth a hook in the device's standing to its room: connected, disconnected, alone. Pure."""

from __future__ import annotations

from typing import Final

ALONE_S: Final = 5.0
"""For so long nobody else may be there: who comes into a room is told of the others only by and by."""


class RoomNews:
    """Remembers what was told last. One thread's own."""

    def __init__(self) -> None:
        self._in_the_room = False
        self._told_alone = False

    def now(self, in_the_room: bool) -> str | None:
        """`connected` or `disconnected` where that has changed; a renewal is neither."""
        if in_the_room == self._in_the_room:
            return None
        self._in_the_room = in_the_room
        self._told_alone = False
        return "connected" if in_the_room else "disconnected"

    def alone(self, alone_s: float | None) -> bool:
        """True once in each time alone, which has lasted `alone_s` (None: somebody is there, or may be)."""
        if alone_s is None:
            self._told_alone = False
        elif alone_s >= ALONE_S and not self._told_alone:
            self._told_alone = True
            return True
        return False
