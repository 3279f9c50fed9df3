"""Rows that tests need and that devices and the service would have caused."""

from __future__ import annotations

from sqlalchemy import insert

from ingestd.broker.model import DEVICES, SESSIONS
from ingestd.broker.storage import Storage


def add_device(storage: Storage, name: str, *calls: str) -> None:
    """A device whose sessions were these calls, all in the room `room-of-NAME`."""
    with storage.writing() as connection:
        row = {"name": name, "key_id": name, "key_hash": b"", "enabled": True, "created_ms": 0, "due_ms": 0}
        device_id = connection.execute(insert(DEVICES).values(row).returning(DEVICES.c.id)).scalar_one()
        for call_id in calls:
            session = {"device_id": device_id, "asked_ms": 1, "status": 200, "call_id": call_id}
            connection.execute(insert(SESSIONS).values(room_id=f"room-of-{name}", **session))
