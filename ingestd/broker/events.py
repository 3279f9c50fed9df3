"""Webhooks that the service is known to have sent: kept once each, whatever their order, and read back.

An event joins its session by `call_id` when it is read, so it may come before what it follows, or before the session's
own answer is written down.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, ScalarSelect, Select, or_, select

from ingestd.broker.errors import Refused
from ingestd.broker.event_body import read_event
from ingestd.broker.model import DEVICES, EVENTS, SESSIONS
from ingestd.broker.storage import Storage, insert_once

PATH: Final = "/v1/webhooks/videosdk"
"""Where the broker takes them."""
DOCUMENTED: Final = (
    "call-started",
    "call-answered",
    "call-hangup",
    "call-missed",
    "call-ringing",
    "call-update",
    "call-transferred",
)
"""The kinds that the service's documentation names. Others are kept as well."""


class Event(NamedTuple):
    """One webhook. Texts are as they came: nothing in them is fit for a terminal yet."""

    id: int
    """Counts upward, but on PostgreSQL a lower one may become visible after a higher one (see `event_feed`)."""
    call_id: str | None
    kind: str
    happened_ms: int | None
    received_ms: int
    body: str
    device: str | None
    """The device whose session it is about."""
    room_id: str | None
    """That session's room."""


class Events:
    """The table `events`. Any thread."""

    def __init__(self, storage: Storage, now: Callable[[], float]) -> None:
        self._storage = storage
        self._now = now

    def store(self, body: bytes) -> bool:
        """Keeps an event for good: on the disk when this returns. False where the very same body was kept before.

        Raises Refused (400) for what is no JSON object, and SQLAlchemyError.
        """
        told = read_event(body)
        if told is None:
            raise Refused(400, "The body is no JSON object", code="not-json")
        row = {
            "digest": hashlib.sha256(body).digest(),
            "call_id": told.call_id,
            "kind": told.kind,
            "happened_ms": told.happened_ms,
            "received_ms": round(self._now() * 1000),
            "body": body.decode("utf-8"),
        }
        with self._storage.writing() as connection:
            kept = insert_once(self._storage, EVENTS).values(row).returning(EVENTS.c.id)
            return connection.execute(kept).first() is not None

    def after(self, event_id: int, limit: int, also: Collection[int] = ()) -> list[Event]:
        """Those with a higher id, or one of `also`, in order, `limit` at most. Raises SQLAlchemyError."""
        wanted = or_(EVENTS.c.id > event_id, EVENTS.c.id.in_(also)) if also else EVENTS.c.id > event_id
        return self._read(_wanted(None).where(wanted).order_by(EVENTS.c.id).limit(limit))

    def latest(self, limit: int, device: str | None = None) -> list[Event]:
        """The newest, in order, `limit` at most; of one device if given. Raises SQLAlchemyError."""
        return self._read(_wanted(device).order_by(EVENTS.c.id.desc()).limit(limit))[::-1]

    def _read(self, wanted: Select[Any]) -> list[Event]:
        with self._storage.reading() as connection:
            return [_event(row) for row in connection.execute(wanted)]


def _event(row: Row[Any]) -> Event:
    return Event(*row)


def _wanted(device: str | None) -> Select[Any]:
    query = select(
        EVENTS.c.id,
        EVENTS.c.call_id,
        EVENTS.c.kind,
        EVENTS.c.happened_ms,
        EVENTS.c.received_ms,
        EVENTS.c.body,
        _of_session(DEVICES.c.name).label("device"),
        _of_session(SESSIONS.c.room_id).label("room_id"),
    )
    if device is not None:
        calls = select(SESSIONS.c.call_id).join(DEVICES).where(DEVICES.c.name == device)
        query = query.where(EVENTS.c.call_id.in_(calls.where(SESSIONS.c.call_id.is_not(None))))
    return query


def _of_session(column: Any) -> ScalarSelect[Any]:
    """One value of the session that an event is about; as a subquery, so that no event is told twice."""
    newest = select(column).select_from(SESSIONS.join(DEVICES)).where(SESSIONS.c.call_id == EVENTS.c.call_id)
    return newest.order_by(SESSIONS.c.id.desc()).limit(1).scalar_subquery()
