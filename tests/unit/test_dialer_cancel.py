"""An attempt can be ended at every stage, at once and without leaving a socket, and waits for nobody for long."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from ingestd.core.times import Times
from ingestd.errors import BackendError, ChannelClosed, ChannelError
from ingestd.net.backend import Backend
from ingestd.net.cancel import Cancel
from ingestd.net.dialer import Dialer
from tests.rig.process import wait_until
from tests.rig.proxy import FaultProxy
from tests.unit.descriptors import left_open, open_descriptors
from tests.unit.peers import GUARD_S, Task, client_tls, read_head, server_tls, serving, until_closed

PLAIN = ssl.create_default_context()
LONG_S = 3 * GUARD_S
FOR_EVER = Times(
    attempt_s=LONG_S, dns_s=LONG_S, connect_rounds_s=(LONG_S,), tls_s=LONG_S, upgrade_s=LONG_S, answer_s=LONG_S
)
"""No wait ends by itself before the test does."""
Disturb = Callable[[FaultProxy], None]


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


def ended_by_cancel(attempt: Callable[[Cancel], object], busy: Callable[[], object]) -> None:
    """Runs `attempt`, ends it once it is `busy`, and asserts what an end has to be."""
    cancel = Cancel()
    task = Task(lambda: attempt(cancel))
    wait_until(busy, GUARD_S, "the attempt to be under way")
    time.sleep(0.1)  # so that it is in the middle of its wait
    cancel.cancel()
    with pytest.raises((ChannelClosed, BackendError), match="abandoned"):
        task.result()


def deaf(server: FaultProxy) -> None:
    server.black_hole()


def stalled(server: FaultProxy) -> None:
    server.stall()


def trickling(server: FaultProxy) -> None:
    server.trickle(100)


@pytest.mark.parametrize("disturb", [deaf, stalled, trickling], ids=lambda one: one.__name__)
@pytest.mark.parametrize("kind", ["ws", "wss", "http", "https"])
@pytest.mark.parametrize("through_proxy", [False, True], ids=["direct", "through a proxy"])
def test_an_attempt_is_cancelled_wherever_it_waits(
    kind: str, disturb: Disturb, through_proxy: bool, ca: trustme.CA, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("t0ken\n")
    tls = client_tls(ca)
    secure = kind in ("wss", "https") and not through_proxy
    with serving(until_closed, server_tls(ca) if secure else None) as server:
        before = open_descriptors()
        with FaultProxy(server.port) as line:
            disturb(line)
            proxy = f"http://127.0.0.1:{line.port}" if through_proxy else None
            url = f"{kind}://127.0.0.1:{server.port if through_proxy else line.port}/"

            def attempt(cancel: Cancel) -> None:
                if kind.startswith("ws"):
                    Dialer(lambda: tls, proxy, FOR_EVER).open(url, cancel, time.monotonic() + LONG_S)
                else:
                    Backend(url, token, "bearer", lambda: tls, proxy, FOR_EVER).create({}, cancel)

            ended_by_cancel(attempt, lambda: disturb is deaf or line.stats().accepted)
            line.restore()
        # The server's ends go away in threads of their own.
        wait_until(lambda: not left_open(before), GUARD_S, "the sockets to be closed")


@pytest.mark.parametrize("stage", ["headers", "body"])
def test_an_answer_that_is_awaited_can_be_cancelled(stage: str, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("t0ken\n")
    asked = threading.Event()

    def handle(sock: socket.socket) -> None:
        read_head(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nX: y\r\nConnection: close\r\n")
        if stage == "body":
            sock.sendall(b"Content-Length: 100\r\n\r\n{")
        asked.set()
        until_closed(sock)

    with serving(handle) as server:
        made = Backend(f"http://127.0.0.1:{server.port}/", token, "bearer", lambda: PLAIN, None, FOR_EVER)
        ended_by_cancel(lambda cancel: made.create({}, cancel), asked.is_set)


def test_a_handshake_within_tls_can_be_cancelled(ca: trustme.CA) -> None:
    asked = threading.Event()

    def handle(sock: socket.socket) -> None:
        read_head(sock)
        asked.set()
        until_closed(sock)

    with serving(handle, server_tls(ca)) as server:
        url = f"wss://127.0.0.1:{server.port}/"
        made = Dialer(lambda: client_tls(ca), None, FOR_EVER)
        ended_by_cancel(lambda cancel: made.open(url, cancel, time.monotonic() + LONG_S), asked.is_set)


@pytest.fixture
def stuck_dns(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Look-ups of names hang until the test is over; the event tells that one has begun."""
    asked, over = threading.Event(), threading.Event()

    def hang(*_args: object, **_options: object) -> list[object]:
        asked.set()
        over.wait(LONG_S)
        raise socket.gaierror(socket.EAI_AGAIN, "too late")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    yield asked
    over.set()


def test_a_look_up_can_be_cancelled(stuck_dns: threading.Event, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("t0ken\n")
    before = open_descriptors()
    made = Backend("https://stuck.example/", token, "bearer", lambda: PLAIN, None, FOR_EVER)
    ended_by_cancel(lambda cancel: made.create({}, cancel), stuck_dns.is_set)
    stuck_dns.clear()
    url = "wss://stuck.example/"
    dialer = Dialer(lambda: PLAIN, None, FOR_EVER)
    ended_by_cancel(lambda cancel: dialer.open(url, cancel, time.monotonic() + LONG_S), stuck_dns.is_set)
    assert not left_open(before)


def test_an_address_that_does_not_answer_is_given_up_after_its_rounds() -> None:
    with FaultProxy(9) as nobody:
        nobody.black_hole()
        before = open_descriptors()
        started = time.monotonic()
        made = Dialer(lambda: PLAIN, None, Times(connect_rounds_s=(0.1, 0.2, 0.3)))
        with pytest.raises(ChannelError, match=r"can't connect to 127.0.0.1:\d+: timed out; check the network"):
            made.open(f"ws://127.0.0.1:{nobody.port}/", Cancel(), time.monotonic() + GUARD_S)
        assert time.monotonic() - started > 0.55
        assert not left_open(before)


def test_what_was_cancelled_before_is_not_begun() -> None:
    cancel = Cancel()
    cancel.cancel()
    cancel.cancel()
    assert cancel.requested
    with serving(until_closed) as server:
        with pytest.raises(ChannelClosed, match="abandoned"):
            Dialer(lambda: PLAIN).open(f"ws://127.0.0.1:{server.port}/", cancel, time.monotonic() + GUARD_S)
        assert server.connections == 0


def test_a_cancel_that_comes_late_ends_nothing_else() -> None:
    with serving(until_closed) as server, socket.create_connection(("127.0.0.1", server.port)) as sock:
        cancel = Cancel()
        with cancel.watching(sock):
            pass
        cancel.cancel()
        sock.settimeout(0.1)
        with pytest.raises(TimeoutError):
            sock.recv(1)
