"""The first tables: devices, their sessions, the service's events, the rooms that were made."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """To 0001."""
    op.create_table(
        "devices",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("key_id", sa.String(32), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("certificate_name", sa.String(256)),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("room_id", sa.String(128)),
        sa.Column("custom_room_id", sa.String(128)),
        sa.Column("participant_id", sa.String(128)),
        sa.Column("participant_name", sa.String(128)),
        sa.Column("participant_metadata", sa.JSON(none_as_null=True)),
        sa.Column("agent", sa.JSON(none_as_null=True)),
        sa.Column("region", sa.String(64)),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("due_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_devices"),
        sa.UniqueConstraint("name", name="uq_devices_name"),
        sa.UniqueConstraint("key_id", name="uq_devices_key_id"),
        sa.UniqueConstraint("certificate_name", name="uq_devices_certificate_name"),
    )
    op.create_table(
        "sessions",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("device_id", _ROW_ID, nullable=False),
        sa.Column("asked_ms", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("message", sa.String(300)),
        sa.Column("answered_ms", sa.BigInteger),
        sa.Column("call_id", sa.String(128)),
        sa.Column("room_id", sa.String(128)),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name="fk_sessions_device_id"),
    )
    op.create_index("ix_sessions_device_id_id", "sessions", ["device_id", "id"])
    has_call = sa.text("call_id IS NOT NULL")
    op.create_index(
        "ix_sessions_of_a_call", "sessions", ["device_id", "id"], sqlite_where=has_call, postgresql_where=has_call
    )
    op.create_index("ix_sessions_call_id", "sessions", ["call_id"])
    op.create_index("ix_sessions_asked_ms", "sessions", ["asked_ms"])
    op.create_table(
        "events",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("call_id", sa.String(128)),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("happened_ms", sa.BigInteger),
        sa.Column("received_ms", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.UniqueConstraint("digest", name="uq_events_digest"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_call_id", "events", ["call_id"])
    op.create_index("ix_events_received_ms", "events", ["received_ms"])
    op.create_table(
        "rooms",
        sa.Column("custom_room_id", sa.String(128), nullable=False),
        sa.Column("room_id", sa.String(128), nullable=False),
        sa.Column("made_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("custom_room_id", name="pk_rooms"),
    )
