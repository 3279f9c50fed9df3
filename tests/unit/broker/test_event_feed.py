"""Who follows the events sees each once, also those whose number was taken before another's; on both databases."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

import pytest
from sqlalchemy import insert

from ingestd.broker.event_feed import EventFeed
from ingestd.broker.events import Event, Events
from ingestd.broker.model import EVENTS
from ingestd.broker.storage import Storage
from tests.unit.broker.rows import add_device


@pytest.fixture
def events(storage: Storage) -> Events:
    return Events(storage, lambda: 1.0)


def _come(storage: Storage, *ids: int) -> None:
    """Events with these numbers are committed, in this order."""
    with storage.writing() as connection:
        for number in ids:
            row = {"digest": hashlib.sha256(b"%d" % number).digest(), "kind": f"kind-{number}", "received_ms": 1}
            connection.execute(insert(EVENTS).values(id=number, body="{}", **row))


def _ids(found: Iterable[Event]) -> list[int]:
    return [event.id for event in found]


def test_the_newest_are_shown_and_then_what_comes(events: Events, storage: Storage) -> None:
    feed = EventFeed(events)
    _come(storage, 1, 2, 3)
    assert _ids(feed.begin(2, 0)) == [2, 3]
    assert feed.more(1) == []
    _come(storage, 4, 5)
    assert _ids(feed.more(2)) == [4, 5]
    assert feed.more(3) == []


def test_a_follower_may_begin_before_the_first_event(events: Events, storage: Storage) -> None:
    feed = EventFeed(events)
    assert feed.begin(5, 0) == []
    _come(storage, 700)
    assert _ids(feed.more(1)) == [700]


def test_a_follower_may_want_none_of_the_old(events: Events, storage: Storage) -> None:
    _come(storage, 1, 2)
    feed = EventFeed(events)
    assert feed.begin(0, 0) == []
    _come(storage, 3)
    assert _ids(feed.more(1)) == [3]


def test_a_number_that_was_passed_over_is_shown_once_it_comes(events: Events, storage: Storage) -> None:
    feed = EventFeed(events)
    _come(storage, 1, 4)
    assert _ids(feed.begin(5, 0)) == [1, 4]
    _come(storage, 3, 7)
    assert _ids(feed.more(1)) == [3, 7]
    _come(storage, 2, 6, 5)
    assert _ids(feed.more(14)) == [2, 5, 6]
    assert feed.more(14.5) == []


def test_a_number_that_never_comes_is_not_awaited_for_ever(events: Events, storage: Storage) -> None:
    feed = EventFeed(events)
    _come(storage, 1, 3)
    feed.begin(5, 0)
    assert feed.more(20) == []
    _come(storage, 2)
    assert feed.more(21) == []


def test_many_at_once_are_all_shown(events: Events, storage: Storage) -> None:
    feed = EventFeed(events)
    feed.begin(5, 0)
    _come(storage, *range(3, 1300, 2))
    assert _ids(feed.more(1)) == list(range(3, 1300, 2))
    _come(storage, 1298, 4)
    assert _ids(feed.more(2)) == [4, 1298]


def test_however_much_is_passed_over_a_follower_keeps_only_so_much(events: Events, storage: Storage) -> None:
    feed = EventFeed(events)
    _come(storage, 1)
    feed.begin(5, 0)
    _come(storage, 5_000_000)
    assert _ids(feed.more(1)) == [5_000_000]
    _come(storage, 4_999_999, 2)
    assert _ids(feed.more(2)) == [4_999_999]


def test_of_what_was_passed_over_again_and_again_only_the_newest_is_awaited(events: Events, storage: Storage) -> None:
    feed = EventFeed(events)
    _come(storage, 1)
    feed.begin(5, 0)
    for number in (2000, 4000, 6000):
        _come(storage, number)
        assert _ids(feed.more(1)) == [number]
    _come(storage, 1999, 3999, 5999)
    assert _ids(feed.more(2)) == [5999]


def test_what_comes_while_one_begins_is_shown_once(storage: Storage) -> None:
    class Busy(Events):
        """An event comes after each look at the newest."""

        def latest(self, limit: int, device: str | None = None) -> list[Event]:
            found = super().latest(limit, device)
            _come(storage, len(super().latest(100)) + 1)
            return found

    _come(storage, 1)
    feed = EventFeed(Busy(storage, lambda: 1.0))
    assert _ids(feed.begin(5, 0)) == [1]
    assert _ids(feed.more(1)) == [2, 3]


def test_one_device_s_events_alone(events: Events, storage: Storage) -> None:
    add_device(storage, "pump", "c1")
    add_device(storage, "gate", "c2")
    for number, call_id in enumerate(["c1", "c2", "nobody"]):
        events.store(json.dumps({"callId": call_id, "number": number}).encode())
    feed = EventFeed(events, "pump")
    assert [event.call_id for event in feed.begin(5, 0)] == ["c1"]
    for number, call_id in enumerate(["nobody", "c2", "c1", "c2"], 10):
        events.store(json.dumps({"callId": call_id, "number": number}).encode())
    assert [event.call_id for event in feed.more(1)] == ["c1"]
    assert feed.more(2) == []
