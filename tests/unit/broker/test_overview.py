"""Where devices stand, in whatever order things came, and at what cost where there are many."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, text

from ingestd.broker.model import DEVICES, EVENTS, SESSIONS
from ingestd.broker.overview import LastEvent, LastSession, device_states, recent_sessions, totals
from ingestd.broker.storage import Storage
from tests.rig.figures import Figures
from tests.unit.broker.filled import fill


class Site:
    """What devices and the service would have caused."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self._events = itertools.count()

    def device(self, name: str, *, enabled: bool = True) -> int:
        row = {"name": name, "key_id": name[:32], "key_hash": b"", "created_ms": 0, "due_ms": 0, "room_id": f"r-{name}"}
        with self.storage.writing() as connection:
            made = insert(DEVICES).values(enabled=enabled, **row).returning(DEVICES.c.id)
            return int(connection.execute(made).scalar_one())

    def session(self, device: int, call_id: str | None, asked_ms: int = 1, status: int | None = 200) -> None:
        row = {"device_id": device, "asked_ms": asked_ms, "status": status, "call_id": call_id, "room_id": "r"}
        with self.storage.writing() as connection:
            connection.execute(insert(SESSIONS).values(row))

    def event(self, call_id: str, kind: str, received_ms: int = 5, happened_ms: int | None = None) -> None:
        row = {"digest": b"%d" % next(self._events), "call_id": call_id, "kind": kind, "body": "{}"}
        with self.storage.writing() as connection:
            connection.execute(insert(EVENTS).values(received_ms=received_ms, happened_ms=happened_ms, **row))

    def states(self, after: str | None = None, limit: int = 100, **more: Any) -> Any:
        with self.storage.reading() as connection:
            return device_states(connection, after, limit, **more)


@pytest.fixture
def site(storage: Storage) -> Site:
    return Site(storage)


def test_a_device_that_never_asked(site: Site) -> None:
    site.device("quiet")
    (state,) = site.states()
    assert state == ("quiet", True, "r-quiet", False, None, None)


@pytest.mark.parametrize(
    ("kinds", "live"),
    [
        ((), False),
        (("call-ringing",), False),
        (("call-started",), True),
        (("call-answered",), True),
        (("call-started", "call-answered", "call-update"), True),
        (("call-started", "call-hangup"), False),
        (("call-hangup", "call-started"), False),
        (("call-answered", "call-missed"), False),
    ],
)
def test_live_is_begun_and_not_over_in_whatever_order(site: Site, kinds: tuple[str, ...], live: bool) -> None:
    site.session(site.device("one"), "c-1")
    for kind in kinds:
        site.event("c-1", kind)
    (state,) = site.states()
    assert state.live is live
    with site.storage.reading() as connection:
        assert totals(connection) == (1, 1, int(live), 1, len(kinds))


def test_a_renewal_changes_nothing_until_its_own_call_begins(site: Site) -> None:
    one, other = site.device("one"), site.device("other")
    site.session(one, "old")
    site.session(other, "another")
    site.session(one, "new", asked_ms=7)
    for call in ("old", "another"):
        site.event(call, "call-started")

    def seen() -> tuple[bool, int]:
        first, second = site.states()
        assert first.last_session == LastSession(7, 200, "new", "r")
        assert second.live
        with site.storage.reading() as connection:
            assert totals(connection).live == 1 + first.live
        return first.live, first.last_event.received_ms if first.last_event else 0

    live, old_ms = seen()
    assert live, "the old call goes on"
    site.event("new", "call-started", received_ms=6)
    live, new_ms = seen()
    assert live
    assert new_ms > old_ms, "the new call's own event"
    site.event("old", "call-hangup")
    assert seen() == (True, new_ms), "what the old call still brings is of no account"
    site.event("new", "call-hangup")
    assert not seen()[0]


def test_what_failed_since_leaves_the_call_as_it_is(site: Site) -> None:
    one = site.device("one")
    site.session(one, "c-1")
    site.event("c-1", "call-started")
    site.session(one, None, asked_ms=9, status=429)
    site.session(one, None, asked_ms=10, status=None)
    (state,) = site.states()
    assert state.live
    assert state.last_session == LastSession(10, None, None, "r")
    with site.storage.reading() as connection:
        assert totals(connection).live == 1


def test_the_last_event_is_by_its_own_time_where_it_tells_one(site: Site) -> None:
    site.session(site.device("one"), "c-1")
    site.event("c-1", "call-hangup", received_ms=20, happened_ms=15)
    site.event("c-1", "call-started", received_ms=30, happened_ms=10)
    assert site.states()[0].last_event == LastEvent("call-hangup", 15, 20)
    site.event("c-1", "call-update", received_ms=40)
    assert site.states()[0].last_event == LastEvent("call-update", None, 40)


def test_pages_have_every_device_once(site: Site) -> None:
    names = {f"d{number}" for number in range(7)} | {"D.1", "a_b", "z-9"}
    for name in names:
        site.device(name, enabled=name != "d3")
    seen: list[str] = []
    while page := site.states(seen[-1] if seen else None, 3):
        assert len(page) <= 3
        assert page[0].name not in seen
        seen += [state.name for state in page]
    assert len(seen) == len(names)
    assert set(seen) == names
    assert [state.name for state in site.states(names=["d3", "nobody"])] == ["d3"]
    assert not site.states(names=["d3"])[0].enabled


def test_sessions_newest_first_and_of_one_device(site: Site) -> None:
    one, other = site.device("one"), site.device("other")
    for number in range(3):
        site.session(one, f"one-{number}", asked_ms=number)
        site.session(other, f"other-{number}", asked_ms=number)
    with site.storage.reading() as connection:
        assert [row.call_id for row in recent_sessions(connection, 3)] == ["other-2", "one-2", "other-1"]
        of_one = recent_sessions(connection, 2, "one")
        assert [(row.device, row.call_id) for row in of_one] == [("one", "one-2"), ("one", "one-1")]
        assert recent_sessions(connection, 2, "nobody") == []


@contextmanager
def asked(storage: Storage) -> Iterator[list[tuple[str, Any]]]:
    """The statements that were sent meanwhile, with their values."""
    statements: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, _context: Any, _many: bool) -> None:
        statements.append((statement, values))

    event.listen(storage.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(storage.engine, "before_cursor_execute", note)


def plan(connection: Connection, storage: Storage, statement: str, values: Any) -> str:
    explain = "EXPLAIN QUERY PLAN" if storage.is_sqlite else "EXPLAIN"
    return "\n".join(str(row) for row in connection.exec_driver_sql(f"{explain} {statement}", values))


@pytest.mark.parametrize("what", ["a page", "the newest sessions", "those of one device"])
def test_nothing_is_looked_for_without_an_index(storage: Storage, what: str) -> None:
    fill(storage, 300, 100)
    with storage.reading() as connection, asked(storage) as statements:
        if what == "a page":
            assert len(device_states(connection, "device-150", 20)) == 20
            assert len(statements) == 3
        else:
            assert len(recent_sessions(connection, 20, None if what == "the newest sessions" else "device-7")) == 20
    with storage.reading() as connection:
        plans = [plan(connection, storage, *statement) for statement in statements]
    for told in plans:
        if storage.is_sqlite:
            # Newest first is the table's own order backwards, which LIMIT ends; nothing else is walked through.
            allowed = 1 if what == "the newest sessions" else 0
            assert told.count("SCAN") == allowed == told.count("SCAN sessions"), told
            assert "TEMP B-TREE" not in told, told
        else:
            assert "Seq Scan on sessions" not in told, told
            assert "Seq Scan on events" not in told, told


def test_a_devices_newest_call_is_not_sought_through_all_that_failed(storage: Storage) -> None:
    fill(storage, 300, 100)
    with storage.reading() as connection, asked(storage) as statements:
        device_states(connection, None, 20)
    with storage.reading() as connection:
        assert "ix_sessions_of_a_call" in plan(connection, storage, *statements[0])


@pytest.mark.full
@pytest.mark.timeout(300)
def test_many_devices_and_a_million_sessions(storage: Storage, figures: Figures) -> None:
    kind = "sqlite" if storage.is_sqlite else "postgresql"
    fill(storage, 10_000, 100)

    def median_ms(ask: Any) -> float:
        took = []
        for _ in range(11):
            with storage.reading() as connection:
                began_s = time.perf_counter()
                ask(connection)
                took.append((time.perf_counter() - began_s) * 1000)
        return sorted(took)[5]

    page_ms = median_ms(lambda connection: device_states(connection, "device-5", 101))
    assert figures.add(f"broker_{kind}_devices_page_p50_ms", page_ms, max=100)
    largest_ms = median_ms(lambda connection: device_states(connection, "device-5", 501))
    assert figures.add(f"broker_{kind}_devices_largest_page_p50_ms", largest_ms, max=250)
    newest_ms = median_ms(lambda connection: recent_sessions(connection, 20, "device-77"))
    assert figures.add(f"broker_{kind}_sessions_of_a_device_p50_ms", newest_ms, max=50)
    totals_ms = median_ms(totals)
    assert figures.add(f"broker_{kind}_totals_p50_ms", totals_ms, max=2000)
    with storage.reading() as connection:
        assert totals(connection) == (10_000, 9_997, 10_000, 1_000_000, 1_000_000)
        assert connection.scalar(text("SELECT count(*) FROM devices WHERE enabled")) == 9_997
