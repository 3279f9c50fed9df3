"""Many messages of one person, in order, while everything else goes on."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from tests.standin.people import LocalParticipant
from tests.standin.room import Room

_AT_ONCE: Final = 20
"""So many before others get their turn."""


class Floods:
    """Those that are under way; of the event loop."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(
        self, room: Room, person: LocalParticipant, topic: str, count: int, per_s: float, size_bytes: int
    ) -> None:
        """See `Control.flood`."""
        task = asyncio.get_running_loop().create_task(_publish(room, person, topic, count, per_s, size_bytes))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _publish(room: Room, person: LocalParticipant, topic: str, count: int, per_s: float, size_bytes: int) -> None:
    began_s = time.monotonic()
    for number in range(count):
        room.publish(person, topic, f"{number} ".ljust(size_bytes, "x") if size_bytes else str(number))
        if per_s:
            await asyncio.sleep(max(0.0, began_s + (number + 1) / per_s - time.monotonic()))
        elif number % _AT_ONCE == _AT_ONCE - 1:
            await asyncio.sleep(0)
