"""What is old goes, a few rows at a time; what tells how a device stands stays."""

from __future__ import annotations

import hashlib

from sqlalchemy import insert, select

from ingestd.broker import pruning
from ingestd.broker.model import DEVICES, EVENTS, SESSIONS
from ingestd.broker.overview import device_states
from ingestd.broker.pruning import Pruned, prune
from ingestd.broker.storage import Storage

OLD, NEW, BEFORE = 1_000, 9_000, 5_000


def add_device(storage: Storage, number: int) -> None:
    """A device of that number."""
    values = {"id": number, "name": f"d{number}", "key_id": str(number), "key_hash": b"", "enabled": True}
    with storage.writing() as connection:
        connection.execute(insert(DEVICES).values(values | {"created_ms": 0, "due_ms": 0}))


def add_session(storage: Storage, device: int, asked_ms: int, call_id: str | None) -> None:
    """A session that the device asked for then."""
    values = {"device_id": device, "asked_ms": asked_ms, "call_id": call_id, "status": 200 if call_id else 503}
    with storage.writing() as connection:
        connection.execute(insert(SESSIONS).values(values))


def add_event(storage: Storage, received_ms: int, call_id: str | None, kind: str = "call-started") -> None:
    """An event that came then."""
    digest = hashlib.sha256(f"{received_ms} {call_id} {kind}".encode()).digest()
    values = {"digest": digest, "call_id": call_id, "kind": kind, "received_ms": received_ms, "body": "{}"}
    with storage.writing() as connection:
        connection.execute(insert(EVENTS).values(values))


def left(storage: Storage) -> tuple[list[tuple[int, str | None]], list[tuple[int, str | None]]]:
    """The sessions and the events that there are."""
    with storage.reading() as connection:
        sessions = connection.execute(select(SESSIONS.c.asked_ms, SESSIONS.c.call_id).order_by(SESSIONS.c.id))
        events = connection.execute(select(EVENTS.c.received_ms, EVENTS.c.call_id).order_by(EVENTS.c.id))
        return [tuple(row) for row in sessions], [tuple(row) for row in events]


def nothing(_seconds: float) -> None:
    """No rest."""


def test_what_is_old_goes(storage: Storage) -> None:
    add_device(storage, 1)
    for asked_ms, call in ((OLD, "a"), (OLD + 1, None), (BEFORE - 1, "b"), (BEFORE, "c"), (NEW, "d")):
        add_session(storage, 1, asked_ms, call)
        if call:
            add_event(storage, asked_ms, call)
    add_event(storage, OLD, "of nobody")
    add_event(storage, OLD, None)
    assert prune(storage, BEFORE, nothing) == Pruned(3, 4)
    assert left(storage) == ([(BEFORE, "c"), (NEW, "d")], [(BEFORE, "c"), (NEW, "d")])
    assert prune(storage, BEFORE, nothing) == Pruned(0, 0)


def test_how_a_device_stands_is_told_for_ever(storage: Storage) -> None:
    """One is in a call since long ago, one was refused lately and before had a call, one had its last call long ago."""
    for device in (1, 2, 3):
        add_device(storage, device)
        add_session(storage, device, OLD, f"first-{device}")
        add_event(storage, OLD, f"first-{device}")
        add_session(storage, device, OLD + 1, f"call-{device}")
        add_event(storage, OLD + 1, f"call-{device}")
    add_session(storage, 2, OLD + 2, None)
    add_session(storage, 2, NEW, None)
    add_event(storage, OLD + 3, "call-3", "call-hangup")
    with storage.reading() as connection:
        before = device_states(connection, None, 10)
    assert [one.live for one in before] == [True, True, False]
    assert prune(storage, BEFORE, nothing) == Pruned(4, 3)
    with storage.reading() as connection:
        assert device_states(connection, None, 10) == before


def test_it_goes_in_batches_between_which_others_write(storage: Storage) -> None:
    count = 2 * pruning._AT_A_TIME + 1
    add_device(storage, 1)
    with storage.writing() as connection:
        rows = [{"device_id": 1, "asked_ms": OLD, "call_id": None} for _ in range(count)]
        connection.execute(insert(SESSIONS), rows)
    seen: list[int] = []

    def rest(_seconds: float) -> None:
        add_session(storage, 1, NEW, f"{len(seen)}")  # a lock would keep it out
        seen.append(len(left(storage)[0]))

    assert prune(storage, BEFORE, rest) == Pruned(count, 0)
    assert seen == [count - 500 + 1, count - 1000 + 2, 3]


def test_no_row_is_looked_at_for_ever_where_all_stay(storage: Storage) -> None:
    """Rows that are kept are not found again and again."""
    for device in range(1, 4):
        add_device(storage, device)
        add_session(storage, device, OLD, f"call-{device}")
    assert prune(storage, BEFORE, nothing) == Pruned(0, 0)
    assert len(left(storage)[0]) == 3
