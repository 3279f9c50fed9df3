"""Events are kept once each, in any order, and join their sessions when read; on both databases."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select

from ingestd.broker.errors import Refused
from ingestd.broker.events import Event, Events
from ingestd.broker.model import EVENTS
from ingestd.broker.storage import Storage
from tests.unit.broker.rows import add_device

NOW_S = 1_795_433_400.5


@pytest.fixture
def events(storage: Storage) -> Events:
    return Events(storage, lambda: NOW_S)


def _body(kind: str, call_id: str | None = "c1", **data: Any) -> bytes:
    return json.dumps({"webhookType": kind, "data": {"callId": call_id, **data}}).encode()


def test_an_event_is_kept_as_it_came(events: Events) -> None:
    body = b'{ "webhookType" : "call-started",\n"data":{"callId":"c1","timestamp":1795433400,"more":"\\u0000\xc3\xa4"}}'
    assert events.store(body)
    kept = events.latest(10)
    assert kept == [
        Event(
            id=kept[0].id,
            call_id="c1",
            kind="call-started",
            happened_ms=1_795_433_400_000,
            received_ms=1_795_433_400_500,
            body=body.decode(),
            device=None,
            room_id=None,
        )
    ]


def test_the_same_bytes_are_kept_once(events: Events) -> None:
    assert events.store(_body("call-started"))
    assert not events.store(_body("call-started"))
    assert events.store(_body("call-started") + b" ")
    assert len(events.latest(10)) == 2


def test_the_same_bytes_at_once_are_kept_once(events: Events) -> None:
    together = threading.Barrier(4)

    def store() -> bool:
        together.wait(20)
        return events.store(_body("call-started"))

    with ThreadPoolExecutor(4) as pool:
        kept = [one.result(60) for one in [pool.submit(store) for _ in range(4)]]
    assert sorted(kept) == [False, False, False, True]
    assert len(events.latest(10)) == 1


def test_what_is_kept_can_be_read_by_another_connection_once_it_is_acknowledged(
    events: Events, storage: Storage
) -> None:
    events.store(_body("call-started"))
    other = Storage(storage.url.render_as_string(hide_password=False))
    with other.reading() as connection:
        assert connection.execute(select(EVENTS.c.kind)).scalars().all() == ["call-started"]
    other.engine.dispose()


@pytest.mark.parametrize("body", [b"", b"[]", b"no", b"\xff", b"{"])
def test_what_is_no_event_is_refused_and_not_kept(events: Events, body: bytes) -> None:
    with pytest.raises(Refused) as refused:
        events.store(body)
    assert refused.value.status == 400
    assert events.latest(10) == []


def test_whatever_the_texts_hold_they_are_kept(events: Events) -> None:
    hostile = ["'; DROP TABLE events; --", "\x1b[2J", "\u202e", "\0", "\ud800", "%s", "😀" * 100, "x" * 200_000]
    for text in hostile:
        assert events.store(_body(text, text, roomId=text))
    kept = events.latest(100)
    assert [event.kind for event in kept[:3]] == hostile[:3]
    assert [event.call_id for event in kept[-2:]] == ["😀" * 100, None]
    assert [json.loads(event.body)["webhookType"] for event in kept] == hostile


def test_an_event_tells_its_session_s_device_and_room_whichever_was_there_first(
    events: Events, storage: Storage
) -> None:
    events.store(_body("call-hangup", "c1"))
    add_device(storage, "pump", "c1", "c2")
    add_device(storage, "gate", "c3")
    events.store(_body("call-started", "c3"))
    events.store(_body("call-started", "nobody-s"))
    events.store(_body("call-started", None))
    read = [(event.kind, event.device, event.room_id) for event in events.latest(10)]
    assert read == [
        ("call-hangup", "pump", "room-of-pump"),
        ("call-started", "gate", "room-of-gate"),
        ("call-started", None, None),
        ("call-started", None, None),
    ]
    assert [event.call_id for event in events.latest(10, device="pump")] == ["c1"]
    assert [event.call_id for event in events.latest(10, device="gate")] == ["c3"]
    assert events.latest(10, device="nobody") == []


def test_a_call_of_two_sessions_tells_its_events_once(events: Events, storage: Storage) -> None:
    add_device(storage, "old", "c1")
    add_device(storage, "new", "c1")
    events.store(_body("call-started", "c1"))
    assert [event.device for event in events.latest(10)] == ["new"]


def test_events_are_read_in_the_order_of_their_coming_and_a_page_at_a_time(events: Events) -> None:
    kinds = [f"kind-{number}" for number in range(7)]
    for kind in kinds:
        events.store(_body(kind))
    assert [event.kind for event in events.latest(3)] == kinds[-3:]
    first = events.after(0, 4)
    assert [event.kind for event in first] == kinds[:4]
    assert [event.kind for event in events.after(first[-1].id, 4)] == kinds[4:]
    assert events.after(events.latest(1)[0].id, 4) == []
