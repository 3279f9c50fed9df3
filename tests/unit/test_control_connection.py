"""The server's end of one client: who reads is never taken for deaf, however much there is to tell."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from ingestd.control.connection import MAX_UNREAD_BYTES, MOST_UNREAD_BYTES, Connection

LINE = b"x" * 1000 + b"\n"
PATIENCE_S = 2.0


@pytest.fixture
def ends() -> Iterator[tuple[Connection, socket.socket]]:
    """The server's and the client's, neither of which blocks."""
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        far.setblocking(False)
        yield Connection(near), far


def read(far: socket.socket) -> int:
    """All that is there, in bytes."""
    found = 0
    with contextlib.suppress(BlockingIOError):
        while data := far.recv(1 << 20):
            found += len(data)
    return found


def test_who_reads_all_it_is_given_has_time_without_end(ends: tuple[Connection, socket.socket]) -> None:
    connection, far = ends
    told = heard = 0
    for _ in range(MOST_UNREAD_BYTES // len(LINE) // 2):
        connection.tell(LINE)
        told += len(LINE)
    rounds = 0
    while heard < told:
        assert connection.flush()
        heard += read(far)
        rounds += 1
        assert not connection.is_deaf(rounds * PATIENCE_S, PATIENCE_S)
    assert rounds > 10


def test_who_reads_nothing_is_deaf_once_its_time_is_over(ends: tuple[Connection, socket.socket]) -> None:
    connection, _ = ends
    while not connection.is_behind:
        connection.tell(LINE)
        assert connection.flush()
    found = []
    for now in (0.0, 1.9, 2.0):
        assert connection.flush()
        found.append(connection.is_deaf(now, PATIENCE_S))
    assert found == [False, False, True]


def test_who_reads_a_little_now_and_then_is_deaf_too(ends: tuple[Connection, socket.socket]) -> None:
    connection, far = ends
    for _ in range(4 * MAX_UNREAD_BYTES // len(LINE)):
        connection.tell(LINE)
    found = []
    for now in (0.0, 1.0, 2.0, 3.0):
        for _ in range(20):
            assert connection.flush()
        found.append(connection.is_deaf(now, PATIENCE_S))
        far.recv(100)
    assert found[-1]
