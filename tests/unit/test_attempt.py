"""One attempt, with the real backend and dialer against real servers."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ingestd.core.times import Times
from ingestd.errors import BackendError, BackendFault, ChannelClosed, UpgradeRefused
from ingestd.net.backend import Backend
from ingestd.net.cancel import Cancel
from ingestd.net.dialer import Dialer
from ingestd.net.opener import ChannelOpener
from ingestd.threads.attempt import Attempt
from ingestd.threads.mailbox import AttemptFailed, Connected, Mail, Mailbox, SessionCreated
from tests.rig.process import wait_until
from tests.unit.descriptors import left_open, open_descriptors
from tests.unit.peers import GUARD_S, Peer, accept_upgrade, read_head, read_request, serving, until_closed

PLAIN = ssl.create_default_context()
LONG_S = 3 * GUARD_S
FOR_EVER = Times(attempt_s=LONG_S, connect_rounds_s=(LONG_S,), upgrade_s=LONG_S, answer_s=LONG_S)
"""No wait ends by itself before the test does."""
Handler = Callable[[socket.socket], None]


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox()
    yield box
    box.close()


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("t0ken\n")
    return path


def sessions_at(port: int) -> Handler:
    """A backend whose sessions lead to that port."""

    def handle(sock: socket.socket) -> None:
        read_request(sock)
        body = json.dumps({"data": {"wsUrl": f"ws://127.0.0.1:{port}/?ref=vs_1", "callId": "c"}}).encode()
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    return handle


def attempt(mailbox: Mailbox, port: int, token_file: Path) -> Attempt:
    sessions = Backend(f"http://127.0.0.1:{port}/", token_file, "bearer", lambda: PLAIN, None, FOR_EVER)
    opener = ChannelOpener(Dialer(lambda: PLAIN, None, FOR_EVER), lambda: ["CHAT"], Times(silent_for_s=5.0))
    made = Attempt(mailbox, 7, sessions, opener, {}, Cancel)
    made.start()
    return made


def mail_of(made: Attempt, mailbox: Mailbox) -> list[Mail]:
    """All that it posted, once it has ended."""
    assert made.join(GUARD_S), "the attempt hangs"
    return mailbox.take_all()


def test_it_brings_a_session_and_then_a_link_that_has_claimed_it(mailbox: Mailbox, token_file: Path) -> None:
    first: list[bytes] = []

    def room(sock: socket.socket) -> None:
        accept_upgrade(sock)
        first.append(Peer(sock).frame()[1])
        until_closed(sock)

    with serving(room) as server, serving(sessions_at(server.port)) as backend:
        created, connected = mail_of(attempt(mailbox, backend.port, token_file), mailbox)
        assert isinstance(created, SessionCreated)
        assert isinstance(connected, Connected)
        assert (created.epoch, connected.epoch, connected.link.epoch) == (7, 7, 7)
        assert connected.link.call_id == "c"
        connected.link.leave()
    assert json.loads(first[0])["event"] == "start"


def test_the_times_it_was_given_reach_the_links_pulse(mailbox: Mailbox, token_file: Path) -> None:
    def room(sock: socket.socket) -> None:
        accept_upgrade(sock)
        until_closed(sock)

    with serving(room) as server, serving(sessions_at(server.port)) as backend:
        _created, connected = mail_of(attempt(mailbox, backend.port, token_file), mailbox)
        assert isinstance(connected, Connected)
        liveness = connected.link.liveness
        begun_s = liveness.last_inbound_s
        assert liveness.verdict(begun_s + 4.9) is None
        assert liveness.verdict(begun_s + 5.1) is not None
        connected.link.leave()


def test_what_it_fails_by_is_handed_on_as_it_is(mailbox: Mailbox, token_file: Path) -> None:
    def refuse(sock: socket.socket) -> None:
        read_head(sock)
        sock.sendall(b"HTTP/1.1 503 Busy\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n")
        until_closed(sock)

    with serving(refuse) as server:
        (failed,) = mail_of(attempt(mailbox, server.port, token_file), mailbox)
        assert isinstance(failed, AttemptFailed)
        assert isinstance(failed.error, BackendError)
        assert (failed.epoch, failed.error.fault, failed.error.retry_after_s) == (7, BackendFault.TRANSIENT, 9.0)
        with serving(sessions_at(server.port)) as backend:
            _created, refused = mail_of(attempt(mailbox, backend.port, token_file), mailbox)
            assert isinstance(refused, AttemptFailed)
            assert isinstance(refused.error, UpgradeRefused)
            assert (refused.error.status, refused.error.retry_after_s) == (503, 9.0)


@pytest.mark.parametrize("stage", ["creating", "connecting"])
def test_given_up_it_ends_at_once_and_leaves_nothing(stage: str, mailbox: Mailbox, token_file: Path) -> None:
    asked = threading.Event()

    def silent(sock: socket.socket) -> None:
        read_head(sock)
        asked.set()
        until_closed(sock)

    before = open_descriptors()
    with serving(silent) as server, serving(sessions_at(server.port)) as backend:
        made = attempt(mailbox, (server if stage == "creating" else backend).port, token_file)
        wait_until(asked.is_set, GUARD_S, "the request")
        made.stop()
        *_created, failed = mail_of(made, mailbox)
    assert isinstance(failed, AttemptFailed)
    assert isinstance(failed.error, BackendError if stage == "creating" else ChannelClosed)
    assert "abandoned" in str(failed.error)
    assert not left_open(before)
