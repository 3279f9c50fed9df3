"""Which connections have to go, and what is kept of requests that no thread is free for."""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from ingestd.broker.arrivals import Whole
from ingestd.broker.clients import Clients
from ingestd.broker.connection import Connection
from ingestd.broker.places import first_to_go, largest, overdue
from ingestd.broker.ready import WAITS_AT_MOST_S, Ready


class Place(NamedTuple):
    name: str
    idle: bool = False
    deadline: float = 0.0
    held_bytes: int = 0


def named(places: list[Place]) -> list[str]:
    return [one.name for one in places]


def test_idle_ones_go_first_and_then_those_that_have_been_at_it_longest() -> None:
    waiting = [Place("new", deadline=9), Place("old", deadline=3), Place("idle", True, 70), Place("idler", True, 60)]
    assert named(first_to_go(waiting, 1)) == ["idler"]
    assert named(first_to_go(waiting, 3)) == ["idler", "idle", "old"]
    assert len(first_to_go(waiting, 9)) == 4


def test_the_largest_go_and_no_more_of_them_than_have_to() -> None:
    waiting = [Place("a", held_bytes=10), Place("b", held_bytes=30), Place("c", held_bytes=20)]
    assert named(largest(waiting, 60)) == []
    assert named(largest(waiting, 59)) == ["b"]
    assert named(largest(waiting, 29)) == ["b", "c"]
    assert named(largest(waiting, 0)) == ["b", "c", "a"]


def test_whose_deadline_has_passed() -> None:
    assert named(overdue([Place("a", deadline=1), Place("b", deadline=2)], 2)) == ["a"]


@pytest.fixture
def pair() -> Iterator[tuple[Connection, socket.socket]]:
    """A broker's end and a client's."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as server:
        client = socket.create_connection(server.getsockname(), 5)
        sock, address = server.accept()
    connection = Connection(sock, address, sock.getsockname(), None)
    with contextlib.closing(connection), client:
        yield connection, client


def test_only_so_much_waits_for_a_thread(pair: tuple[Connection, socket.socket]) -> None:
    connection, _ = pair
    ready = Ready(most_bytes=10)
    assert ready.put(connection, Whole(b"123456", False), 0.0)
    assert not ready.put(connection, Whole(b"12345", False), 0.0)
    assert ready.put(connection, Whole(b"1234", False), 0.0)
    assert ready.take() == (connection, Whole(b"123456", False))
    assert ready.put(connection, Whole(b"12345", False), 0.0)
    assert len(ready) == 2


def test_who_has_waited_too_long_makes_room(pair: tuple[Connection, socket.socket]) -> None:
    connection, _ = pair
    ready = Ready(most_bytes=10)
    assert ready.put(connection, Whole(b"123456", False), 0.0)
    assert ready.put(connection, Whole(b"1", False), 1.0)
    assert ready.take_late(WAITS_AT_MOST_S) == []
    assert ready.take_late(WAITS_AT_MOST_S + 0.5) == [connection]
    assert ready.put(connection, Whole(b"123456789", False), 5.0)
    assert len(ready) == 2


def test_who_holds_too_much_is_told_to_come_again_and_holds_nothing(pair: tuple[Connection, socket.socket]) -> None:
    connection, client = pair
    with selectors.DefaultSelector() as poller:
        clients = Clients(poller, lambda _: None, lambda _: None, most_bytes=80)
        clients.wait_for_data(connection)
        connection.arrival.feed(b"x" * 81)
        clients.read(9)
        assert connection.held_bytes == 81
        clients.read(2)  # more than an eighth of it has come in: it is looked at
        assert connection.held_bytes == 0
        assert client.recv(1000).startswith(b"HTTP/1.1 429 ")
        assert client.recv(1) == b""
        assert connection in clients.waiting, "what is on its way is read, so that the answer arrives"
        clients.end_late(time.monotonic() + 3)
        assert connection not in clients.waiting


def test_an_answer_that_is_not_taken_is_not_mixed_with_another(pair: tuple[Connection, socket.socket]) -> None:
    connection, client = pair
    with selectors.DefaultSelector() as poller:
        clients = Clients(poller, lambda _: None, lambda _: None, most_bytes=80)
        connection.left = b"x" * 81
        clients.wait_for_room(connection)
        clients.end_late(time.monotonic())
        assert client.recv(1000) == b""


def test_one_that_was_ended_is_asked_for_no_data(pair: tuple[Connection, socket.socket]) -> None:
    connection, client = pair
    asked: list[Connection] = []
    with selectors.DefaultSelector() as poller:
        clients = Clients(poller, asked.append, asked.append, most_bytes=80)
        clients.wait_for_data(connection)
        client.sendall(b"x")
        ((key, _),) = poller.select(5)
        clients.make_room(1)
        key.data(key.fileobj)
        assert not asked
