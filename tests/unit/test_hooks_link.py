"""The connection to the control socket: found again, whatever is at the other end of it."""

from __future__ import annotations

import json
import selectors
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingestd.control.protocol import UNAVAILABLE, RpcError
from ingestd.hooks.link import Answered, Link
from ingestd.hooks.replies import AT_ONCE, WAITING, Replies
from tests.unit.peers import GUARD_S


class LinkCase:
    """A link with a clock of its own, and the socket it looks for."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "control.sock"
        self.selector = selectors.DefaultSelector()
        self.now = 0.0
        self.connections = 0
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.unreachables: list[tuple[str, bool]] = []
        self.answers: list[tuple[Any, RpcError | None]] = []
        self.link = Link(self.path, self.selector, self, lambda: 1.0, lambda: self.now)
        self.listener: socket.socket | None = None

    def connected(self) -> None:
        self.connections += 1

    def notified(self, method: str, params: dict[str, Any]) -> None:
        self.told.append((method, params))

    def unreachable(self, why: str, absent: bool) -> None:
        self.unreachables.append((why, absent))

    def ask(self, method: str = "status") -> None:
        self.link.request(method, {}, lambda result, error: self.answers.append((result, error)))

    def serve(self) -> socket.socket:
        """Listens, lets it connect, and gives the daemon's end."""
        if self.listener is None:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(str(self.path))
            self.listener.listen()
        self.link.step(self.now)
        daemon, _ = self.listener.accept()
        daemon.settimeout(GUARD_S)
        return daemon

    def turn(self) -> None:
        for key, _ in self.selector.select(1.0):
            key.data()


@pytest.fixture
def case(tmp_path: Path) -> Iterator[LinkCase]:
    case = LinkCase(tmp_path)
    yield case
    case.link.close()
    if case.listener is not None:
        case.listener.close()


def answer(daemon: socket.socket, **fields: Any) -> None:
    request = json.loads(daemon.recv(65536).splitlines()[-1])
    daemon.sendall(json.dumps({"jsonrpc": "2.0", "id": request["id"], **fields}).encode() + b"\n")


def test_it_is_looked_for_ever_less_often_and_for_ever(case: LinkCase) -> None:
    waits = []
    for _ in range(10):
        assert case.link.due_s is not None
        case.now = before = case.link.due_s
        case.link.step(before - 0.001)
        case.link.step(before)
        waits.append(round((case.link.due_s or 0.0) - before, 2))
    assert waits == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0, 5.0, 5.0]
    assert case.unreachables == [("No such file or directory", True)] * 10
    case.now += 5.0
    daemon = case.serve()
    assert (case.connections, case.link.due_s) == (1, None)
    case.ask()
    answer(daemon, result={})
    case.turn()
    daemon.close()
    case.turn()
    assert case.link.due_s == case.now + 0.2, "who has served us is looked for soon"


def test_requests_and_notifications(case: LinkCase) -> None:
    daemon = case.serve()
    case.ask()
    daemon.sendall(b'{"jsonrpc":"2.0","method":"state","params":{"event":"alone"}}\n{"half')
    answer(daemon, result={"state": "streaming"})
    case.turn()
    assert case.told == [("state", {"event": "alone"})]
    assert case.answers == [], "half a line spoils the one that it became part of, and no more"
    case.ask()
    answer(daemon, error={"code": -32000, "message": "not now"})
    case.turn()
    ((result, error),) = case.answers
    assert (result, str(error)) == (None, "not now")


@pytest.mark.parametrize("line", [b"\n", b"[]\n", b"7\n", b'{"id":1}\n', b"\xff\n", b"[" * 100_000 + b"\n", b"{}\n"])
def test_what_makes_no_sense_is_passed_over(case: LinkCase, line: bytes) -> None:
    daemon = case.serve()
    daemon.sendall(line + b'{"method":"message","params":{"topic":"T"}}\n')
    while not case.told:
        case.turn()
    assert case.told == [("message", {"topic": "T"})]


def test_a_line_without_end_is_no_reason_to_grow(case: LinkCase) -> None:
    daemon = case.serve()
    daemon.setblocking(False)
    sent = 0
    while case.link.is_up and sent < 1 << 24:
        try:
            sent += daemon.send(b"x" * 65536)
        except BlockingIOError:
            case.turn()
    assert not case.link.is_up


def test_what_was_asked_for_ends_with_the_connection(case: LinkCase) -> None:
    case.ask()
    assert str(case.answers.pop()[1]) == "there is no connection to ingestd"
    daemon = case.serve()
    case.ask()
    daemon.close()
    case.turn()
    assert str(case.answers.pop()[1]) == "the connection to ingestd was lost"
    assert not case.link.is_up


def test_one_that_hangs_up_before_it_answers_is_not_asked_ever_again_at_once(case: LinkCase) -> None:
    waits = []
    for _ in range(4):
        daemon = case.serve()
        daemon.close()
        case.turn()
        assert case.link.due_s is not None
        waits.append(round(case.link.due_s - case.now, 2))
        case.now = case.link.due_s
    assert waits == sorted(waits)
    assert waits[-1] > 1
    assert case.unreachables == [("it hung up before it answered", False)] * 4, "the device may be in the room"


def test_why_it_turns_us_away_is_told(case: LinkCase) -> None:
    daemon = case.serve()
    daemon.sendall(b'{"jsonrpc":"2.0","error":{"code":-32001,"message":"uid 7 is not served"},"id":null}\n')
    daemon.close()
    while case.link.is_up:
        case.turn()
    assert case.unreachables == [("uid 7 is not served", False)]


def test_replies_are_asked_for_few_at_a_time_and_in_order(case: LinkCase) -> None:
    asked: list[tuple[str, Answered]] = []
    failed: list[str] = []
    replies = Replies(lambda _method, params, answered: asked.append((params["data"], answered)))
    for number in range(AT_ONCE + WAITING + 1):
        replies.publish("T", str(number), failed.append)
    assert failed == [f"{WAITING} replies wait already"]
    assert len(asked) == AT_ONCE
    for number in range(AT_ONCE + WAITING):
        asked[number][1](None, RpcError(UNAVAILABLE, "away") if number == 3 else None)
    assert [data for data, _ in asked] == [str(number) for number in range(AT_ONCE + WAITING)]
    assert failed[1:] == ["away"]


def test_the_socket_may_move(case: LinkCase, tmp_path: Path) -> None:
    daemon = case.serve()
    case.link.move(case.path)
    assert case.link.is_up
    case.link.move(tmp_path / "elsewhere.sock")
    assert daemon.recv(1) == b""
    case.link.step(case.now)
    assert case.unreachables == [("No such file or directory", True)]


def test_a_lost_connection_ends_all_replies_that_wait(case: LinkCase, monkeypatch: pytest.MonkeyPatch) -> None:
    many = sys.getrecursionlimit()
    monkeypatch.setattr("ingestd.hooks.replies.WAITING", many)
    daemon = case.serve()
    failed: list[str] = []
    replies = Replies(case.link.request)
    for number in range(AT_ONCE + many):
        replies.publish("T", str(number), failed.append)
    daemon.close()
    while case.link.is_up:
        case.turn()
    assert len(failed) == AT_ONCE + many
    assert set(failed) == {"the connection to ingestd was lost", "there is no connection to ingestd"}
