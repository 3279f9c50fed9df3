"""From a URL to an open WebSocket, against real servers that behave and misbehave."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable

import pytest
import trustme

from ingestd.core.times import DEFAULT, Times
from ingestd.errors import BackendError, ChannelError, UpgradeRefused
from ingestd.net.cancel import Cancel
from ingestd.net.dialer import Dialer
from ingestd.net.stream import Stream
from tests.rig.free_port import free_port
from tests.rig.process import wait_until
from tests.unit.peers import (
    GUARD_S,
    accept_upgrade,
    client_tls,
    header,
    read_head,
    server_frame,
    server_tls,
    serving,
    until_closed,
)

SECRET = "/videosdk?ref=vs_secret"
PLAIN = ssl.create_default_context()
SHORT = Times(tls_s=0.4, upgrade_s=0.4)
Handler = Callable[[socket.socket], None]


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


def dial(port: int, tls: ssl.SSLContext | None = None, within_s: float = GUARD_S, times: Times = DEFAULT) -> Stream:
    url = f"{'wss' if tls else 'ws'}://127.0.0.1:{port}{SECRET}"
    return Dialer(lambda: tls or PLAIN, None, times).open(url, Cancel(), time.monotonic() + within_s)


def error(handler: Handler, within_s: float = GUARD_S, times: Times = DEFAULT) -> ChannelError:
    """What dialling a plain server that behaves like this fails with; never the URL's secret."""
    with serving(handler) as server, pytest.raises(ChannelError) as raised:
        dial(server.port, within_s=within_s, times=times)
    assert "secret" not in repr(raised.value)
    return raised.value


def failure(handler: Handler, within_s: float = GUARD_S, times: Times = DEFAULT) -> str:
    return str(error(handler, within_s, times))


def answering(data: bytes, then: Handler = until_closed) -> Handler:
    """A server that answers any request with `data`."""

    def handle(sock: socket.socket) -> None:
        read_head(sock)
        sock.sendall(data)
        then(sock)

    return handle


def refuse_time(_sock: socket.socket) -> None:
    """Closes at once."""


def read_some(stream: Stream, size: int) -> bytes:
    out = b""
    while len(out) < size:
        out += wait_until(stream.read, GUARD_S, "data") or b""
    return out


@pytest.mark.parametrize("secure", [False, True])
def test_a_good_server_gives_an_open_stream_with_all_it_said_at_once(secure: bool, ca: trustme.CA) -> None:
    heads: list[bytes] = []
    hello = server_frame(1, b'{"event":"meeting-joined"}')

    def handle(sock: socket.socket) -> None:
        heads.append(accept_upgrade(sock))
        sock.sendall(hello)
        until_closed(sock)

    with serving(handle, server_tls(ca) if secure else None) as server:
        stream = dial(server.port, client_tls(ca) if secure else None)
        assert read_some(stream, len(hello)) == hello
        assert stream.write(b"x") == 1
        stream.close()
    (head,) = heads
    assert head.startswith(f"GET {SECRET} HTTP/1.1\r\n".encode())
    assert header(head, "Host") == f"127.0.0.1:{server.port}"
    assert header(head, "Sec-WebSocket-Version") == "13"
    for absent in ("Origin", "Sec-WebSocket-Extensions", "Cookie", "Authorization"):
        assert header(head, absent) is None


def test_nobody_listening_is_told_at_once() -> None:
    port = free_port()
    with pytest.raises(ChannelError, match=f"can't connect to 127.0.0.1:{port}: Connection refused"):
        dial(port)


def test_a_name_that_does_not_resolve_is_told() -> None:
    for host in ("no-such-host.invalid", "a" * 64 + ".example", "a..b"):
        with pytest.raises(ChannelError, match="can't resolve"):
            Dialer(lambda: PLAIN).open(f"wss://{host}{SECRET}", Cancel(), time.monotonic() + GUARD_S)


@pytest.mark.parametrize("url", ["ws://192.0.2.1/?ref=s3", "http://127.0.0.1/?ref=s3", "wss:///?ref=s3", "nonsense s3"])
def test_plain_text_beyond_this_machine_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(BackendError) as raised:
        Dialer(lambda: PLAIN).open(url, Cancel(), time.monotonic() + GUARD_S)
    assert "s3" not in str(raised.value)


def test_a_session_that_has_expired_is_not_dialled() -> None:
    with serving(until_closed) as server:
        with pytest.raises(ChannelError, match="no time left"):
            dial(server.port, within_s=-1)
        assert server.connections == 0


@pytest.mark.parametrize("status", ["301", "302", "307", "308", "200", "400", "401", "403", "404", "426", "500", "503"])
def test_any_status_but_101_is_a_refusal_that_names_it(status: str) -> None:
    with serving(until_closed) as elsewhere:
        head = f"HTTP/1.1 {status} No\r\nLocation: ws://127.0.0.1:{elsewhere.port}/\r\nContent-Length: 0\r\n\r\n"
        refused = error(answering(head.encode()))
        assert isinstance(refused, UpgradeRefused)
        assert (refused.status, refused.retry_after_s) == (int(status), None)
        assert str(refused) == f"the server refused the WebSocket with HTTP status {status}"
        assert elsewhere.connections == 0, "a redirect was followed"


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ("Retry-After: 7", 7.0),
        ("retry-after:86400", 3600.0),
        ("Retry-After: Sat, 01 Jan 2000 00:01:30 GMT\r\nDate: Sat, 01 Jan 2000 00:00:00 GMT", 90.0),
        ("Retry-After: Sat, 01 Jan 2000 00:01:30 GMT", None),
        ("Retry-After: soon", None),
        ("X-Retry-After: 7", None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_refusal_tells_how_long_to_stay_away(status: int, headers: str, wait_s: float | None) -> None:
    refused = error(answering(f"HTTP/1.1 {status} No\r\n{headers}\r\nContent-Length: 5\r\n\r\nhello".encode()))
    assert isinstance(refused, UpgradeRefused)
    assert (refused.status, refused.retry_after_s) == (status, wait_s)


@pytest.mark.parametrize("length", ["10", "1000000000", "-5", "soon", "\u0663"])
def test_the_body_of_a_refusal_is_not_waited_for(length: str) -> None:
    said = failure(answering(f"HTTP/1.1 403 Forbidden\r\nContent-Length: {length}\r\n\r\n".encode()))
    assert said == "the server refused the WebSocket with HTTP status 403"


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 101 Yes\r\n\r\n",
        b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: bm90aGluZw==\r\n\r\n",
        b"HTTP/1.1 101 Yes\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        b"\r\n\r\n",
        b"\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"101\r\n\r\n",
        b"HTTP/1.1 abc Yes\r\n\r\n",
        b"HTTP/1.1 101 Yes\r\nno colon\r\n\r\n",
        b"HTTP/1.1 101 \xff\xfe\r\n\r\n",
        b"HTTP/1.1 101 Yes\r\nX: \xff\r\n\r\n",
        b"\x00\x01\x02\n\n",
        b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n",
        b"HTTP/1.1 101 Yes\r\nSet-Cookie: a@b=c; domain=x\r\nUpgrade: websocket\r\n\r\n",
        b"HTTP/1.1 302 Go\r\nSet-Cookie: a@b=c; domain=x\r\n\r\n",
        b"HTTP/1.1 302 Go\r\n\r\n",
    ],
    ids=repr,
)
def test_no_answer_is_more_than_a_failed_connection(head: bytes) -> None:
    assert failure(answering(head, refuse_time))


@pytest.mark.parametrize(
    "head", [b"", b"HTTP/1.1 ", b"HTTP/1.1 101 Yes\r\nX: ", b"HTTP/1.1 101 Y\r\n" + b"X: y\r\n" * 6000]
)
def test_a_handshake_without_end_is_bounded_in_size(head: bytes) -> None:
    def flood(sock: socket.socket) -> None:
        read_head(sock)
        sock.sendall(head)
        while True:
            sock.sendall(b"a" * 4096)

    assert failure(flood) == "the server's handshake is over 32768 bytes"


@pytest.mark.parametrize("step", ["TLS", "WebSocket"])
def test_a_server_that_says_nothing_is_given_up(step: str) -> None:
    said = f"did not finish the {step} handshake in time"
    with serving(until_closed) as server, pytest.raises(ChannelError, match=said):
        dial(server.port, PLAIN if step == "TLS" else None, times=SHORT)


def test_a_handshake_that_trickles_for_ever_is_given_up() -> None:
    def trickle(sock: socket.socket) -> None:
        read_head(sock)
        with contextlib.suppress(OSError):
            for byte in b"HTTP/1.1 101 Switching Protocols\r\nX: " + b"y" * 100_000:
                sock.sendall(bytes([byte]))
                time.sleep(0.05)

    assert "did not finish the WebSocket handshake in time" in failure(trickle, times=SHORT)


def test_the_sessions_own_deadline_ends_a_handshake_too() -> None:
    begun = threading.Event()

    def silent(sock: socket.socket) -> None:
        read_head(sock)
        begun.set()
        until_closed(sock)

    for within_s in (0.4, 4.0, GUARD_S):  # a machine that is late may not even get so far
        said = failure(silent, within_s, Times(upgrade_s=3 * GUARD_S))
        if begun.is_set():
            break
    assert "did not finish the WebSocket handshake in time" in said


def test_a_server_that_hangs_up_is_told() -> None:
    for handler in (refuse_time, answering(b"", refuse_time), answering(b"HTTP/1.1 101 Swi", refuse_time)):
        assert failure(handler)
