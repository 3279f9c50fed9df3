"""Rooms that are made for a name of ours, on both databases."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import select

from ingestd.broker.errors import ServiceError
from ingestd.broker.model import ROOMS
from ingestd.broker.rooms import Rooms
from ingestd.broker.storage import Storage


class Maker:
    """The service's side: one room for a name, until it is gone there."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.generation = 1

    def __call__(self, name: str) -> str:
        self.asked.append(name)
        return f"{name}-{self.generation}"


@pytest.fixture
def rooms(storage: Storage) -> Rooms:
    return Rooms(storage, lambda: 12.5)


def test_a_room_is_made_once(rooms: Rooms, storage: Storage) -> None:
    make = Maker()
    assert [rooms.room_id(name, make) for name in ("north", "south", "north")] == ["north-1", "south-1", "north-1"]
    assert make.asked == ["north", "south"]
    assert Rooms(storage, lambda: 99.0).room_id("north", make) == "north-1"
    with storage.reading() as connection:
        assert set(connection.execute(select(ROOMS.c.custom_room_id, ROOMS.c.made_ms)).tuples()) == {
            ("north", 12_500),
            ("south", 12_500),
        }


def test_a_room_that_could_not_be_made_is_not_kept(rooms: Rooms) -> None:
    def fail(name: str) -> str:
        raise ServiceError(500, "no")

    with pytest.raises(ServiceError):
        rooms.room_id("north", fail)
    assert rooms.room_id("north", Maker()) == "north-1"


def test_a_room_that_is_gone_is_made_anew(rooms: Rooms) -> None:
    make = Maker()
    rooms.room_id("north", make)
    make.generation = 2
    rooms.forget("north", "north-1")
    assert rooms.room_id("north", make) == "north-2"


def test_one_made_since_is_not_forgotten(rooms: Rooms) -> None:
    make = Maker()
    rooms.room_id("north", make)
    make.generation = 2
    rooms.forget("north", "another")
    assert rooms.room_id("north", make) == "north-1"


def test_many_that_need_it_at_once_get_the_same(rooms: Rooms) -> None:
    began = threading.Barrier(6)
    make = Maker()
    got: list[str] = []

    def ask() -> None:
        began.wait()
        got.append(rooms.room_id("north", make))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == ["north-1"] * 6
