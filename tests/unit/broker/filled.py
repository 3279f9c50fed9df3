"""A database as a large site has it: many devices, each with many sessions and an event for each."""

from __future__ import annotations

from sqlalchemy import text

from ingestd.broker.storage import Storage

_NUMBERED = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :most) "
_DEVICES = (
    "INSERT INTO devices (name, key_id, key_hash, enabled, created_ms, due_ms) "
    "SELECT 'device-' || i, CAST(i AS VARCHAR(32)), CAST('x' AS {bytes}), i > 3, 0, 0 FROM n"
)
_SESSIONS = (
    "INSERT INTO sessions (device_id, asked_ms, status, call_id) "
    "SELECT 1 + i % CAST(:devices AS INTEGER), i, 200, 'call-' || i FROM n"
)
_EVENTS = (
    "INSERT INTO events (digest, call_id, kind, received_ms, body) "
    "SELECT CAST('d' || i AS {bytes}), 'call-' || i, 'call-started', i, '{{}}' FROM n"
)


def fill(storage: Storage, devices: int, sessions_each: int) -> None:
    """All devices ask in turn, again and again; every call has begun and none has ended."""
    kinds = {"bytes": "BLOB" if storage.is_sqlite else "BYTEA"}
    many = devices * sessions_each
    with storage.writing() as connection:
        connection.execute(text((_NUMBERED + _DEVICES).format(**kinds)), {"most": devices})
        connection.execute(text(_NUMBERED + _SESSIONS), {"most": many, "devices": devices})
        connection.execute(text((_NUMBERED + _EVENTS).format(**kinds)), {"most": many})
    with storage.writing() as connection:
        connection.exec_driver_sql("ANALYZE")
