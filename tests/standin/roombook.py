"""The rooms that backends had made."""

from __future__ import annotations

import random
import string
from typing import Any


class RoomBook:
    """Rooms by their names; touched from the event loop only."""

    def __init__(self) -> None:
        self.by_custom_id: dict[str, str] = {}
        """Room ids by the backend's own names."""
        self.ids: set[str] = set()
        """All of them, those without a name too."""
        self.requests: list[dict[str, Any]] = []
        """Every POST: `at_s` (monotonic seconds), `status`, and the `body` as far as it could be read."""

    def make(self, custom_id: str | None) -> str:
        """The room of that name, made unless there is one; always a new one without a name."""
        if custom_id is not None and custom_id in self.by_custom_id:
            return self.by_custom_id[custom_id]
        room_id = "-".join("".join(random.choices(string.ascii_lowercase, k=4)) for _ in range(3))
        self.ids.add(room_id)
        if custom_id is not None:
            self.by_custom_id[custom_id] = room_id
        return room_id

    def forget(self) -> None:
        """As if no room had ever been made."""
        self.by_custom_id.clear()
        self.ids.clear()
