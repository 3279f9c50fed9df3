"""The tables. Times are milliseconds since 1970 UTC. What changes here needs a migration (`migrations/versions`)."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

ROW_ID = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself in a column of the type INTEGER only."""

DEVICES = Table(
    "devices",
    METADATA,
    Column("id", ROW_ID, primary_key=True),
    Column("name", String(128), nullable=False, unique=True),
    # The public half of the device's key, by which it is found, and SHA-256 of the secret half.
    Column("key_id", String(32), nullable=False, unique=True),
    Column("key_hash", LargeBinary(32), nullable=False),
    # The name in its client certificate, where a trusted proxy asks for one.
    Column("certificate_name", String(256), unique=True),
    Column("enabled", Boolean, nullable=False),
    # Where it goes: a room of the service, or one that is made there by this name of ours.
    Column("room_id", String(128)),
    Column("custom_room_id", String(128)),
    Column("participant_id", String(128)),
    Column("participant_name", String(128)),
    Column("participant_metadata", JSON(none_as_null=True)),
    Column("agent", JSON(none_as_null=True)),
    Column("region", String(64)),
    Column("created_ms", BigInteger, nullable=False),
    # The rate limit's only state (`admission`): when the next request would be due at the even rate.
    Column("due_ms", BigInteger, nullable=False),
)

_HAS_CALL = text("call_id IS NOT NULL")
SESSIONS = Table(
    "sessions",
    METADATA,
    Column("id", ROW_ID, primary_key=True),
    Column("device_id", ROW_ID, ForeignKey("devices.id"), nullable=False),
    Column("asked_ms", BigInteger, nullable=False),
    # What the device was answered; null while the service is asked, and for good where the broker ended meanwhile.
    Column("status", Integer),
    Column("message", String(300)),
    Column("answered_ms", BigInteger),
    Column("call_id", String(128)),
    Column("room_id", String(128)),
    Index(None, "device_id", "id"),
    # A device's newest call is not sought through all that it asked for in vain.
    Index("ix_sessions_of_a_call", "device_id", "id", sqlite_where=_HAS_CALL, postgresql_where=_HAS_CALL),
    Index(None, "call_id"),
    Index(None, "asked_ms"),
)
"""Every request of a device that was admitted, from before the service is asked."""

EVENTS = Table(
    "events",
    METADATA,
    Column("id", ROW_ID, primary_key=True),
    # SHA-256 of the body: the service numbers no deliveries, and sends the same bytes again.
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("call_id", String(128)),
    Column("kind", String(64), nullable=False),
    # The event's own time, where it tells one.
    Column("happened_ms", BigInteger),
    Column("received_ms", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index(None, "call_id"),
    Index(None, "received_ms"),
    # No number is given twice, even after all were pruned: whoever follows goes by the last one.
    sqlite_autoincrement=True,
)
"""Webhooks whose signature was right, as they came. Joined with sessions by `call_id` when read: any order does."""

ROOMS = Table(
    "rooms",
    METADATA,
    Column("custom_room_id", String(128), primary_key=True),
    Column("room_id", String(128), nullable=False),
    Column("made_ms", BigInteger, nullable=False),
)
"""Rooms that the broker had the service make."""
