"""From a URL to an open WebSocket, against real servers that behave and misbehave."""

from __future__ import annotations

import contextlib
import datetime
import socket
import ssl
import time
from collections.abc import Callable

import pytest
import trustme

from ingestd.errors import BackendError, ChannelError
from ingestd.net import dialer
from ingestd.net.dialer import Cancel, Dialer
from ingestd.net.stream import Stream
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
Handler = Callable[[socket.socket], None]


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def short_handshake(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server gets half a second for its handshake."""
    monkeypatch.setattr(dialer, "HANDSHAKE_S", 0.5)


def dial(port: int, tls: ssl.SSLContext | None = None, within_s: float = GUARD_S, proxy: str | None = None) -> Stream:
    url = f"{'wss' if tls else 'ws'}://127.0.0.1:{port}{SECRET}"
    return Dialer(tls or PLAIN, proxy).open(url, Cancel(), time.monotonic() + within_s)


def failure(handler: Handler, within_s: float = GUARD_S) -> str:
    """What dialling a plain server that behaves like this fails with; never the URL's secret."""
    with serving(handler) as server, pytest.raises(ChannelError) as raised:
        dial(server.port, within_s=within_s)
    assert "secret" not in repr(raised.value)
    return str(raised.value)


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
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(ChannelError, match=f"can't connect to 127.0.0.1:{port}: Connection refused"):
        dial(port)


def test_a_name_that_does_not_resolve_is_told() -> None:
    for host in ("no-such-host.invalid", "a" * 64 + ".example", "a..b"):
        with pytest.raises(ChannelError, match="can't resolve"):
            Dialer(PLAIN).open(f"wss://{host}{SECRET}", Cancel(), time.monotonic() + GUARD_S)


@pytest.mark.parametrize("url", ["ws://192.0.2.1/?ref=s3", "http://127.0.0.1/?ref=s3", "wss:///?ref=s3", "nonsense s3"])
def test_plain_text_beyond_this_machine_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(BackendError) as raised:
        Dialer(PLAIN).open(url, Cancel(), time.monotonic() + GUARD_S)
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
        assert failure(answering(head.encode())) == f"the server refused the WebSocket with HTTP status {status}"
        assert elsewhere.connections == 0, "a redirect was followed"


@pytest.mark.parametrize("length", ["10", "1000000000", "-5", "soon", "\u0663"])
def test_the_body_of_a_refusal_is_not_waited_for(length: str) -> None:
    started = time.monotonic()
    said = failure(answering(f"HTTP/1.1 403 Forbidden\r\nContent-Length: {length}\r\n\r\n".encode()))
    assert said == "the server refused the WebSocket with HTTP status 403"
    assert time.monotonic() - started < dialer.HANDSHAKE_S


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


@pytest.mark.usefixtures("short_handshake")
@pytest.mark.parametrize("secure", [False, True])
def test_a_server_that_says_nothing_is_given_up(secure: bool) -> None:
    with serving(until_closed) as server, pytest.raises(ChannelError, match="did not finish the handshake in time"):
        dial(server.port, PLAIN if secure else None)


@pytest.mark.usefixtures("short_handshake")
def test_a_handshake_that_trickles_for_ever_is_given_up() -> None:
    def trickle(sock: socket.socket) -> None:
        read_head(sock)
        with contextlib.suppress(OSError):
            for byte in b"HTTP/1.1 101 Switching Protocols\r\nX: " + b"y" * 100_000:
                sock.sendall(bytes([byte]))
                time.sleep(0.05)

    assert "did not finish the handshake in time" in failure(trickle)


def test_the_sessions_own_deadline_ends_a_handshake_too() -> None:
    assert "in time" in failure(until_closed, within_s=0.4)


def test_a_server_that_hangs_up_is_told() -> None:
    for handler in (refuse_time, answering(b"", refuse_time), answering(b"HTTP/1.1 101 Swi", refuse_time)):
        assert failure(handler)


def test_a_certificate_of_another_authority_is_refused(ca: trustme.CA) -> None:
    with serving(until_closed, server_tls(trustme.CA())) as server, pytest.raises(ChannelError) as raised:
        dial(server.port, client_tls(ca))
    assert "certificate refused: unable to get local issuer certificate" in str(raised.value)


def test_a_certificate_for_another_host_is_refused(ca: trustme.CA) -> None:
    tls = server_tls(ca, "elsewhere.example")
    with serving(until_closed, tls) as server, pytest.raises(ChannelError, match=r"certificate refused: .*127.0.0.1"):
        dial(server.port, client_tls(ca))


def test_an_expired_certificate_is_named_as_such(ca: trustme.CA) -> None:
    ended = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    tls = server_tls(ca, "127.0.0.1", not_after=ended)
    with serving(until_closed, tls) as server, pytest.raises(ChannelError, match="certificate has expired"):
        dial(server.port, client_tls(ca))


def test_a_server_without_tls_where_tls_is_due_is_refused(ca: trustme.CA) -> None:
    def handle(sock: socket.socket) -> None:
        sock.recv(1000)
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with serving(handle) as server, pytest.raises(ChannelError, match="handshake with"):
        dial(server.port, client_tls(ca))
