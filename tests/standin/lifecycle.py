"""What the rest of the world learns of a connection: server frames, webhooks and the log in plain words."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

from tests.standin.room import Room
from tests.standin.settings import Settings

if TYPE_CHECKING:
    from tests.standin.connection import Connection


def meeting_joined(room: Room, settings: Settings) -> dict[str, Any]:
    """The frame for a participant that joined."""
    if settings.sparse_frames:
        return {"event": "meeting-joined"}
    return {"event": "meeting-joined", "roomId": room.id, "sessionId": room.session_id}


def meeting_left(message: str, settings: Settings) -> dict[str, Any]:
    """The frame for a participant whose meeting is over."""
    if settings.sparse_frames:
        return {"event": "meeting-left"}
    return {"event": "meeting-left", "message": message}


def started(connection: Connection) -> None:
    """A start frame claimed its session."""
    _emit(connection, "call-started")
    _say(connection, "started")


def joined(connection: Connection) -> None:
    """The participant is in the room."""
    _emit(connection, "call-answered")
    room = connection.room
    _say(connection, f"joined room {room.id}" if room else "joined")


def published(connection: Connection, topic: str, text: str) -> None:
    """The participant published a message."""
    _say(connection, f"published on {topic}: {text[:100]}")


def left(connection: Connection, why: str) -> None:
    """The participant is out of the room."""
    _emit(connection, "call-hangup", {"reason": why})
    _say(connection, f"left: {why}")


def closed(connection: Connection) -> None:
    """The TCP connection is gone."""
    info = connection.info
    code = f" {info.close_code} {info.close_reason}".rstrip() if info.close_code is not None else ""
    _say(connection, f"connection ended by the {info.closed_by} ({info.how}{code})")


def _emit(connection: Connection, event: str, more: dict[str, Any] | None = None) -> None:
    if connection.call is None or connection.room is None:
        return
    info = connection.call.info
    data = {
        "callId": info.call_id,
        "roomId": info.room_id,
        "sessionId": connection.room.session_id,
        "participantId": info.participant_id,
        "timestamp": datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"),
        **(more or {}),
    }
    connection.world.webhooks.emit(event, data)


def _say(connection: Connection, what: str) -> None:
    name = connection.call.info.participant_name if connection.call else f"connection {connection.info.index}"
    connection.world.on_log(f"{name}: {what}")
