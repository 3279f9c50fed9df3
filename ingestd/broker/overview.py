"""What operators see of devices: where each stands, and their sessions. Reads only; any thread."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, exists, func, select

from ingestd.broker.model import DEVICES, EVENTS, SESSIONS

_BEGUN: Final = ("call-started", "call-answered")
_OVER: Final = ("call-hangup", "call-missed")


class LastSession(NamedTuple):
    """A device's newest request for a session."""

    asked_ms: int
    status: int | None
    """None where the service is being asked, and for good where the broker ended meanwhile."""
    call_id: str | None
    room_id: str | None


class LastEvent(NamedTuple):
    """The latest event of a device's newest call that was told of, by the event's own time where it tells one."""

    kind: str
    at_ms: int | None
    """The event's own time."""
    received_ms: int


class DeviceState(NamedTuple):
    """Where a device stands."""

    name: str
    enabled: bool
    room_id: str | None
    live: bool
    """Whether its newest call that was told of has begun and not ended, in whatever order its events came.

    Not simply its newest one: a session that renews another is made while that one is still the call.
    """
    last_session: LastSession | None
    last_event: LastEvent | None


class SessionRow(NamedTuple):
    """A request for a session, and what came of it."""

    device: str
    asked_ms: int
    answered_ms: int | None
    status: int | None
    message: str | None
    call_id: str | None
    room_id: str | None


class Totals(NamedTuple):
    """How much there is in the database."""

    devices: int
    enabled: int
    live: int
    sessions: int
    events: int


def device_states(
    connection: Connection, after: str | None, limit: int, names: Collection[str] | None = None
) -> list[DeviceState]:
    """`limit` devices in the order of their names, from the one after the name `after`; of `names` only, if given.

    Three queries, whatever the number of devices: each by an index, for this page's devices alone.
    """
    page = select(DEVICES.c.name, DEVICES.c.enabled, DEVICES.c.room_id, *_newest_sessions())
    if after is not None:
        page = page.where(DEVICES.c.name > after)
    if names is not None:
        page = page.where(DEVICES.c.name.in_(names))
    devices = connection.execute(page.order_by(DEVICES.c.name).limit(limit)).all()
    sessions = _sessions(connection, {number for row in devices for number in (row.last, row.call) if number})
    calls = {row.call: sessions[row.call].call_id for row in devices if row.call in sessions}
    events = _events(connection, set(calls.values()))
    return [_state(row, sessions, events.get(calls.get(row.call), ())) for row in devices]


def recent_sessions(connection: Connection, limit: int, device: str | None = None) -> list[SessionRow]:
    """The newest requests for sessions, newest first; of one device only, if given."""
    of = SESSIONS.c
    wanted = (
        select(DEVICES.c.name, of.asked_ms, of.answered_ms, of.status, of.message, of.call_id, of.room_id)
        .join_from(SESSIONS, DEVICES)
        .order_by(of.id.desc())
        .limit(limit)
    )
    if device is not None:
        number = connection.scalar(select(DEVICES.c.id).where(DEVICES.c.name == device))
        wanted = wanted.where(of.device_id == number)
    return [SessionRow(*row) for row in connection.execute(wanted)]


def totals(connection: Connection) -> Totals:
    """How much of everything there is. With 10,000 devices and a million sessions: half a second of PostgreSQL."""
    newest = select(_newest_sessions()[1]).select_from(DEVICES).subquery()
    call = SESSIONS.c.call_id
    live = (
        select(func.count())
        .select_from(newest.join(SESSIONS, SESSIONS.c.id == newest.c.call))
        .where(_has_event(call, _BEGUN), ~_has_event(call, _OVER))
    )
    devices = select(func.count()).select_from(DEVICES)
    rows = [select(func.count()).select_from(table) for table in (SESSIONS, EVENTS)]
    asked = (devices, devices.where(DEVICES.c.enabled), live, *rows)
    return Totals(*(connection.scalar(each) or 0 for each in asked))


def _newest_sessions() -> tuple[Any, Any]:
    """Of each device: its newest session (`last`), and the newest one whose call was told of (`call`)."""
    newest = select(SESSIONS.c.id).where(SESSIONS.c.device_id == DEVICES.c.id).order_by(SESSIONS.c.id.desc()).limit(1)
    with_call = newest.where(SESSIONS.c.call_id.is_not(None), exists().where(EVENTS.c.call_id == SESSIONS.c.call_id))
    return (
        newest.correlate(DEVICES).scalar_subquery().label("last"),
        with_call.correlate(DEVICES).scalar_subquery().label("call"),
    )


def _sessions(connection: Connection, numbers: set[int]) -> dict[int, Row[Any]]:
    of = SESSIONS.c
    wanted = select(of.id, of.asked_ms, of.status, of.call_id, of.room_id).where(of.id.in_(numbers))
    return {row.id: row for row in connection.execute(wanted)}


def _events(connection: Connection, calls: set[str]) -> dict[str | None, list[Row[Any]]]:
    of = EVENTS.c
    wanted = select(of.id, of.call_id, of.kind, of.happened_ms, of.received_ms).where(of.call_id.in_(calls))
    found: dict[str | None, list[Row[Any]]] = {}
    for row in connection.execute(wanted):
        found.setdefault(row.call_id, []).append(row)
    return found


def _state(device: Row[Any], sessions: dict[int, Row[Any]], events: Sequence[Row[Any]]) -> DeviceState:
    last = sessions.get(device.last)
    return DeviceState(
        device.name,
        device.enabled,
        device.room_id,
        _is_live(row.kind for row in events),
        None if last is None else LastSession(last.asked_ms, last.status, last.call_id, last.room_id),
        _latest(events),
    )


def _is_live(kinds: Iterable[str]) -> bool:
    seen = set(kinds)
    return not seen.isdisjoint(_BEGUN) and seen.isdisjoint(_OVER)


def _latest(events: Sequence[Row[Any]]) -> LastEvent | None:
    if not events:
        return None
    last = max(events, key=lambda row: (row.received_ms if row.happened_ms is None else row.happened_ms, row.id))
    return LastEvent(last.kind, last.happened_ms, last.received_ms)


def _has_event(call: Any, kinds: Sequence[str]) -> Any:
    return exists().where(EVENTS.c.call_id == call, EVENTS.c.kind.in_(kinds))
