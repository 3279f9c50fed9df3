"""Rooms that the service makes for a name of ours: made once, kept, and used by every broker from then on."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import bindparam, delete, select

from ingestd.broker.model import ROOMS
from ingestd.broker.storage import Storage, insert_once

_KEPT = select(ROOMS.c.room_id).where(ROOMS.c.custom_room_id == bindparam("name"))
_FORGET = delete(ROOMS).where(ROOMS.c.custom_room_id == bindparam("name"), ROOMS.c.room_id == bindparam("room"))


class Rooms:
    """The rooms of one database. Any thread. Every method may raise SQLAlchemyError."""

    def __init__(self, storage: Storage, now: Callable[[], float]) -> None:
        """`now`: seconds since 1970 UTC."""
        self._storage = storage
        self._now = now

    def room_id(self, custom_room_id: str, make: Callable[[str], str]) -> str:
        """The service's room for that name; `make` has it made where there is none yet, and may raise ServiceError.

        Two that make it at once get the same: the service makes one room for a name.
        """
        with self._storage.reading() as connection:
            kept = connection.execute(_KEPT, {"name": custom_room_id}).scalar()
        if kept is not None:
            return str(kept)
        made = make(custom_room_id)
        row = {"custom_room_id": custom_room_id, "room_id": made, "made_ms": int(self._now() * 1000)}
        with self._storage.writing() as connection:
            connection.execute(insert_once(self._storage, ROOMS), row)
        return made

    def forget(self, custom_room_id: str, room_id: str) -> None:
        """Has the room made anew next time: the service knows that one no more. One made since stays."""
        with self._storage.writing() as connection:
            connection.execute(_FORGET, {"name": custom_room_id, "room": room_id})
