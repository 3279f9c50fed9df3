"""Clients that say no more and wait for their answers, as `nc -N` and `socat` do."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig.process import wait_until
from tests.unit.control_case import STATUS, Client, Control, clock_of, control
from tests.unit.peers import GUARD_S

PUBLISH = b'{"jsonrpc":"2.0","method":"publish","params":{"topic":"T","data":1},"id":%d}\n'
STATUS_LINE = b'{"jsonrpc":"2.0","method":"status","id":1}\n'
LONG = "x" * 5000


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Control]:
    with control(tmp_path) as running:
        yield running


def said_all(client: Client, data: bytes) -> None:
    client.send(data)
    client.sock.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("method", ["status", "mute", "unmute", "call", "reload", "nonsense"])
def test_who_says_no_more_hears_its_answer_and_the_end(method: str, served: Control) -> None:
    with served.client() as client:
        said_all(client, b'{"jsonrpc":"2.0","method":"%s","id":1}\n' % method.encode())
        assert client.line()["id"] == 1
        assert client.hung_up()


def test_answers_that_take_their_time_come_all(served: Control) -> None:
    served.in_the_room.clear()
    with served.client() as client:
        said_all(client, b"".join(PUBLISH % number for number in range(5)) + STATUS_LINE)
        assert client.line()["result"] == STATUS
        wait_until(lambda: len(served.outbox) == 5, GUARD_S, "the messages")

        def idle() -> bool:
            cpu_s = time.clock_gettime(clock_of(served))
            time.sleep(0.5)
            return time.clock_gettime(clock_of(served)) - cpu_s < 0.02

        wait_until(idle, GUARD_S, "it to wait at rest")
        served.in_the_room.set()
        assert [client.line()["id"] for _ in range(5)] == list(range(5))
        assert client.hung_up()
    assert served.thread.figures["clients"] == 0


def test_more_answers_than_the_socket_holds_come_all(served: Control) -> None:
    served.thread._methods = {"status": lambda _params: LONG}
    with served.client() as client:
        said_all(client, STATUS_LINE * 100)
        assert [client.line()["result"] for _ in range(100)] == [LONG] * 100
        assert client.hung_up()
    assert served.thread.cut_off == 0


def test_who_hung_up_wholly_is_gone_at_once_and_has_published_all_the_same(served: Control) -> None:
    served.in_the_room.clear()
    client = served.client()
    client.send(PUBLISH % 1)
    wait_until(lambda: len(served.outbox) == 1, GUARD_S, "the message")
    client.sock.shutdown(socket.SHUT_WR)
    (seen,) = served.thread._clients.values()
    wait_until(lambda: seen.has_ended, GUARD_S, "its end to be seen")
    assert served.thread.figures["clients"] == 1
    client.sock.close()
    wait_until(lambda: served.thread.figures["clients"] == 0, GUARD_S, "the end of it")
    served.in_the_room.set()
    wait_until(lambda: len(served.said) == 1, GUARD_S, "what was published")


def test_who_says_no_more_listens_no_more(served: Control) -> None:
    served.in_the_room.clear()
    with served.client() as client:
        subscribe = b'{"jsonrpc":"2.0","method":"subscribe","params":{"topic":"A"},"id":7}\n'
        said_all(client, subscribe + PUBLISH % 8)
        assert client.line()["id"] == 7
        wait_until(lambda: served.topics.all() == ("CHAT",), GUARD_S, "the end of the topic")
        served.thread.publish("message", {"topic": "A", "text": "hello"})
        served.thread.publish("state", {"state": "streaming"})
        served.in_the_room.set()
        assert client.line()["id"] == 8
        assert client.hung_up()


def test_half_a_line_is_none(served: Control) -> None:
    with served.client() as client:
        said_all(client, STATUS_LINE + b'{"jsonrpc":"2.0","method":"mute"')
        assert client.line()["result"] == STATUS
        assert client.hung_up()
    assert not served.mute.on


def test_who_says_no_more_and_does_not_read_is_cut_off(tmp_path: Path) -> None:
    with control(tmp_path, patience_s=0.3) as served, served.client() as deaf, served.client() as other:
        served.thread._methods = {"status": lambda _params: LONG}
        said_all(deaf, STATUS_LINE * 60)
        wait_until(lambda: served.thread.cut_off == 1, GUARD_S, "the deaf one to be cut off")
        assert other.ask("status")["result"] == LONG
