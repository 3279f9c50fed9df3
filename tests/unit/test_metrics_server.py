"""The metrics thread: scrapes are answered whoever else connects, and nobody holds it up. Over real sockets."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from ingestd.errors import MetricsError
from ingestd.metrics import library
from ingestd.metrics.library import Render
from ingestd.metrics.server import FRESH_S, MAX_CLIENTS, MetricsThread
from ingestd.system.journal import LOG
from ingestd.threads.mailbox import Mail, Mailbox, MetricsChanged
from tests.rig.free_port import free_port
from tests.rig.process import wait_until
from tests.unit.exactly import exactly
from tests.unit.peers import GUARD_S

HURRY_S: Final = 0.5
"""What a client that is to be cut off has for its request and for its answer."""
SCRAPE: Final = b"GET /metrics HTTP/1.1\r\nHost: device\r\n\r\n"


class Case:
    """A thread that serves what `text` is, on a port of its own."""

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        load: Callable[[], Render] | None = None,
        answered_s: float = GUARD_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.host = host
        self.text = b"figure 1\n"
        self.mailbox = Mailbox()
        self.mail: list[Mail] = []
        self.thread = MetricsThread(
            host,
            port,
            load or (lambda: lambda: self.text),
            self.mailbox,
            again_s=0.05,
            answered_s=answered_s,
            clock=clock,
        )
        self.thread.start()

    def told(self, count: int) -> list[MetricsChanged]:
        """Waits for so much word of it."""

        def found() -> list[MetricsChanged]:
            self.mail += self.mailbox.take_all()
            changes = [mail for mail in self.mail if isinstance(mail, MetricsChanged)]
            return changes if len(changes) >= count else []

        return wait_until(found, GUARD_S, "word of the metrics thread")

    def connect(self) -> socket.socket:
        ports = wait_until(lambda: self.thread.ports, GUARD_S, "a listening socket")
        return socket.create_connection((self.host, ports[0]), GUARD_S)

    def ask(self, data: bytes = SCRAPE) -> bytes:
        """All that comes back."""
        with self.connect() as sock:
            sock.sendall(data)
            return rest(sock)

    def close(self) -> None:
        self.thread.stop()
        assert self.thread.join(GUARD_S)
        self.mailbox.close()


def rest(sock: socket.socket) -> bytes:
    """Until the other end closes, or cuts it off."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while data := sock.recv(65536):
            found += data
    return found


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.fixture
def case() -> Iterator[Case]:
    running = Case()
    yield running
    running.close()


class Hurried(Case):
    """Its clients have little time, by a clock that moves when a test says so."""

    def __init__(self) -> None:
        self.now_s = 100.0
        super().__init__(answered_s=HURRY_S, clock=lambda: self.now_s)

    def let_time_pass(self) -> None:
        self.now_s += HURRY_S


@pytest.fixture
def hurried() -> Iterator[Hurried]:
    running = Hurried()
    yield running
    running.close()


def test_a_scrape_is_answered(case: Case) -> None:
    head, _, body = case.ask().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body == b"figure 1\n"
    assert exactly(case.told(1)) == exactly([MetricsChanged("127.0.0.1:0", None)])


def test_a_head_that_comes_in_bits_is_answered(case: Case) -> None:
    with case.connect() as sock:
        for start in range(0, len(SCRAPE), 7):
            sock.sendall(SCRAPE[start : start + 7])
            time.sleep(0.005)
        assert rest(sock).endswith(b"figure 1\n")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"404"),
        (b"PUT /metrics HTTP/1.1\r\n\r\n", b"405"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"y" * 8190, b"431"),
    ],
)
def test_everything_else_is_refused(case: Case, data: bytes, status: bytes) -> None:
    assert case.ask(data).startswith(b"HTTP/1.1 " + status)
    assert case.thread.rendered == 0, "nothing was written for that"


@pytest.mark.parametrize("host", ["::1", "localhost"])
def test_other_addresses(host: str) -> None:
    if host == "::1" and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    running = Case(host)
    try:
        assert running.ask().endswith(b"figure 1\n")
    finally:
        running.close()


def test_a_storm_of_scrapes_is_written_for_seldom(case: Case) -> None:
    began_s = time.monotonic()
    for _ in range(20):
        assert case.ask().endswith(b"figure 1\n")
    assert 1 <= case.thread.rendered <= 2 + (time.monotonic() - began_s) / FRESH_S


def test_figures_are_no_older_than_a_moment(case: Case) -> None:
    case.ask()
    case.text = b"figure 2\n"
    wait_until(lambda: case.ask().endswith(b"figure 2\n"), GUARD_S, "the new figure")


def test_those_who_never_finish_are_cut_off_and_hold_up_nobody(hurried: Hurried) -> None:
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(hurried.connect()) for _ in range(3 * MAX_CLIENTS)]
        for sock in slow:
            with contextlib.suppress(OSError):  # it may be cut off already
                sock.sendall(SCRAPE[:20])
        assert hurried.ask().endswith(b"figure 1\n")
        assert hurried.thread._clients, "they may still go on"
        hurried.let_time_pass()
        for sock in slow:
            assert rest(sock) == b"", "it ends, without a word"


def test_those_who_never_read_are_cut_off_and_hold_up_nobody(hurried: Hurried) -> None:
    hurried.text = b"x" * 20_000_000  # more than the kernel takes on the way
    with hurried.connect() as lazy:
        lazy.sendall(SCRAPE)
        wait_until(lambda: hurried.thread.rendered, GUARD_S, "its answer")
        assert hurried.ask(b"GET / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 404")
        assert hurried.thread._clients, "it may still read"
        hurried.let_time_pass()
        wait_until(lambda: not hurried.thread._clients, GUARD_S, "its end")
        assert len(rest(lazy)) < len(hurried.text)


def test_a_thousand_connections_leave_nothing_behind(hurried: Hurried) -> None:
    hurried.ask()
    for _ in range(50):
        with contextlib.ExitStack() as stack:
            for _ in range(20):
                sock = stack.enter_context(socket.socket())
                sock.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    sock.connect(("127.0.0.1", hurried.thread.ports[0]))
    assert hurried.ask().endswith(b"figure 1\n")
    assert len(hurried.thread._clients) <= MAX_CLIENTS
    hurried.let_time_pass()
    wait_until(lambda: not hurried.thread._clients, GUARD_S, "the end of all")


def test_a_port_that_is_taken_is_tried_again() -> None:
    port = free_port()  # one of the kernel's might go to somebody else once it is given back
    with socket.create_server(("127.0.0.1", port)):
        case = Case(port=port)
        first, second, *_ = case.told(2)
        assert first.listen == f"127.0.0.1:{port}"
        assert str(first.error) == f"can't serve figures on 127.0.0.1:{port}: something else listens there"
        assert isinstance(second.error, MetricsError), "and once more"
    try:
        assert case.ask().endswith(b"figure 1\n")
        wait_until(lambda: case.told(1)[-1].error is None, GUARD_S, "the good news")
    finally:
        case.close()


@pytest.mark.parametrize("host", ["192.0.2.7", f"{'x' * 64}.invalid"])
def test_an_address_that_is_not_there_is_told(host: str) -> None:
    case = Case(host)
    try:
        (change, *_) = case.told(1)
        assert host in str(change.error)
    finally:
        case.close()


def test_a_library_that_is_missing_is_told_and_found_once_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "prometheus_client", None)
        case = Case(load=lambda: library.load(dict, lambda: None))
        (change, *_) = case.told(1)
        assert "prometheus_client is missing" in str(change.error)
    try:
        wait_until(lambda: case.told(1)[-1].error is None, GUARD_S, "figures after all")
    finally:
        case.close()


def test_figures_that_can_not_be_written_are_a_bug_told_once_and_no_end() -> None:
    def broken() -> bytes:
        raise KeyError("state")

    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]  # kept, not shown
    LOG.addHandler(handler)
    case = Case(load=lambda: broken)
    try:
        for _ in range(3):
            assert case.ask().startswith(b"HTTP/1.1 500")
    finally:
        case.close()
        LOG.removeHandler(handler)
    assert len(lines) == 1
    assert "please report" in lines[0]


def test_its_port_is_free_at_once_after_its_end() -> None:
    port = free_port()  # as above
    case = Case(port=port)
    case.ask()
    case.close()
    with pytest.raises(OSError) as caught:  # noqa: PT011 - judged by its number
        socket.create_connection(("127.0.0.1", port), GUARD_S)
    assert caught.value.errno == errno.ECONNREFUSED
