"""Old sessions and events are deleted, a few at a time, so that nobody waits long for the database."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from sqlalchemy import Column, ColumnElement, Table, delete, exists, or_, select, tuple_

from ingestd.broker.model import EVENTS, SESSIONS
from ingestd.broker.storage import Storage

_AT_A_TIME: Final = 500
_REST_S: Final = 0.02


class Pruned(NamedTuple):
    """How many rows were deleted."""

    sessions: int
    events: int


def prune(storage: Storage, before_ms: int, rest: Callable[[float], None] = time.sleep) -> Pruned:
    """Deletes what is older, but for each device's newest session and newest call, and that call's events.

    So a device is shown as it stands, however long ago. Others write between the batches, for which `rest` (seconds)
    gives them time. Raises SQLAlchemyError.
    """

    def deleted(table: Table, time_column: Column[int], superfluous: ColumnElement[bool]) -> int:
        count = 0
        for batch in _old(storage, table, time_column, before_ms):
            with storage.writing() as connection:
                count += connection.execute(delete(table).where(table.c.id.in_(batch), superfluous)).rowcount
            rest(_REST_S)
        return count

    # Sessions first: events of calls that no session tells of are nobody's.
    return Pruned(
        deleted(SESSIONS, SESSIONS.c.asked_ms, _superfluous_session()),
        deleted(EVENTS, EVENTS.c.received_ms, ~_of_a_newest_call()),
    )


def _old(storage: Storage, table: Table, time_column: Column[int], before_ms: int) -> Iterator[list[int]]:
    """The ids of what is older, oldest first, found without a lock."""
    after: tuple[int, int] = (-1, -1)
    place = tuple_(time_column, table.c.id)
    while True:
        wanted = select(time_column, table.c.id).where(time_column < before_ms, place > after)
        with storage.reading() as connection:
            rows = connection.execute(wanted.order_by(time_column, table.c.id).limit(_AT_A_TIME)).all()
        if not rows:
            return
        yield [row.id for row in rows]
        after = tuple(rows[-1])


def _superfluous_session() -> ColumnElement[bool]:
    newer = SESSIONS.alias("newer")
    of_same = exists().where(newer.c.device_id == SESSIONS.c.device_id, newer.c.id > SESSIONS.c.id)
    return of_same & or_(SESSIONS.c.call_id.is_(None), of_same.where(newer.c.call_id.is_not(None)))


def _of_a_newest_call() -> ColumnElement[bool]:
    newer: Any = SESSIONS.alias("newer")
    later_call = exists().where(
        newer.c.device_id == SESSIONS.c.device_id, newer.c.id > SESSIONS.c.id, newer.c.call_id.is_not(None)
    )
    return exists().where(SESSIONS.c.call_id == EVENTS.c.call_id, ~later_call)
