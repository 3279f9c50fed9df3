"""One socket, two threads: plain over a socket pair, TLS over loopback; real kernels, real OpenSSL."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import struct
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import trustme

from ingestd.errors import ChannelClosed
from ingestd.net import stream
from ingestd.net.stream import Stream
from tests.rig.process import wait_until
from tests.unit.peers import GUARD_S, Task, client_tls, server_tls, tcp_pair, tls_pair, until_closed

RST_ON_CLOSE = struct.pack("ii", 1, 0)


class Pair(NamedTuple):
    near: Stream
    far: socket.socket


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(params=["unix", "tcp", "tls"])
def pair(request: pytest.FixtureRequest, ca: trustme.CA) -> Iterator[Pair]:
    kind: str = request.param
    near, far = tls_pair(ca) if kind == "tls" else tcp_pair() if kind == "tcp" else socket.socketpair()
    far.settimeout(GUARD_S)
    made = Pair(Stream(near), far)
    yield made
    made.near.close()
    far.close()


def poll(near: Stream, event: int) -> None:
    """Waits as sender and receiver do."""
    if event == select.POLLIN and near.has_buffered():
        return
    poller = select.poll()
    poller.register(near.fileno(), event)
    poller.poll(100)


def write_all(near: Stream, data: bytes) -> int:
    """Writes as the sender does, frame by frame; returns how often nothing fitted."""
    view = memoryview(data)
    full = 0
    while view:
        written = near.write(view[:4000])
        if written == 0:
            full += 1
            poll(near, select.POLLOUT)
        view = view[written:]
    return full


def read_to(near: Stream, size: int) -> bytes:
    """Reads as the receiver does."""
    out = bytearray()
    while len(out) < size:
        data = near.read()
        if data is None:
            poll(near, select.POLLIN)
        else:
            assert len(data) <= 16384
            out += data
    return bytes(out)


def receive_all(far: socket.socket, size: int) -> bytes:
    out = bytearray()
    while len(out) < size:
        data = far.recv(65536)
        assert data, "the stream ended early"
        out += data
    return bytes(out)


def test_a_way_that_stays_has_not_changed_open_or_closed(pair: Pair) -> None:
    assert not pair.near.route_changed()
    pair.near.close()
    assert not pair.near.route_changed()


def test_both_directions_busy_at_once_lose_no_byte(pair: Pair) -> None:
    size = 3_000_000
    up, down = os.urandom(size), os.urandom(size)
    reader = Task(lambda: read_to(pair.near, size))
    writer = Task(lambda: write_all(pair.near, up))
    got = serve_both(pair.far, down, size)
    assert got == up
    assert reader.result() == down
    writer.result()


class Exclusive(ssl.SSLSocket):
    """Counts the calls that find another one still at work on the same OpenSSL object."""

    inside = 0
    calls = 0
    overlaps = 0

    def read(self, *args: Any) -> bytes:
        with self.alone():
            return super().read(*args)

    def send(self, *args: Any) -> int:
        with self.alone():
            return super().send(*args)

    def pending(self) -> int:
        with self.alone():
            return super().pending()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        self.calls += 1
        self.overlaps += self.inside > 0
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1


def test_openssl_is_never_entered_by_both_threads(ca: trustme.CA) -> None:
    context = client_tls(ca)
    context.sslsocket_class = Exclusive
    near, far = tls_pair(ca, context)
    stream_ = Stream(near)
    size = 1_500_000
    reader = Task(lambda: read_to(stream_, size))
    writer = Task(lambda: write_all(stream_, bytes(size)))
    serve_both(far, bytes(size), size)
    reader.result()
    writer.result()
    assert isinstance(near, Exclusive)
    assert near.calls > 200
    assert near.overlaps == 0
    stream_.close()
    far.close()


def serve_both(far: socket.socket, down: bytes, size: int) -> bytes:
    """Sends `down` and receives `size` bytes, both at once in one thread."""
    far.setblocking(False)
    got, left = bytearray(), memoryview(down)
    while left or len(got) < size:
        moved = False
        try:
            got += far.recv(65536)
            moved = True
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        try:
            left = left[far.send(left[:16384]) if left else 0 :]
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        else:
            moved = moved or bool(left)
        if not moved:
            select.select([far], [far] if left else [], [], 0.1)
    far.settimeout(GUARD_S)
    return bytes(got)


def test_a_full_socket_takes_nothing_and_goes_on_with_the_same_bytes(pair: Pair) -> None:
    frames = [bytes([n % 251]) * 4000 for n in range(4000)]
    sent = 0
    offset = 0
    while True:  # until the kernel is full
        written = pair.near.write(memoryview(frames[sent])[offset:])
        if written == 0:
            break
        offset += written
        if offset == len(frames[sent]):
            sent, offset = sent + 1, 0
    assert sent < len(frames), "this kernel never gets full"
    assert pair.near.write(memoryview(frames[sent])[offset:]) == 0
    rest = b"".join(frames[: sent + 1])
    receiver = Task(lambda: receive_all(pair.far, len(rest)))
    assert write_all(pair.near, frames[sent][offset:]) >= 0
    assert receiver.result() == rest


def test_nothing_there_is_none_and_what_comes_is_read(pair: Pair) -> None:
    assert pair.near.read() is None
    pair.far.sendall(b"hello")
    assert read_to(pair.near, 5) == b"hello"
    assert pair.near.read() is None


def test_what_tls_has_decrypted_is_told_although_poll_cannot_see_it(ca: trustme.CA) -> None:
    near, far = tls_pair(ca)
    stream_ = Stream(near)
    far.sendall(b"x" * 16384)  # one record
    poll(stream_, select.POLLIN)
    first = wait_until(stream_.read, GUARD_S, "the record") or b""
    while len(first) < 16384 and stream_.has_buffered():
        first += stream_.read() or b""
    assert first == b"x" * 16384
    assert not stream_.has_buffered()
    stream_.close()
    far.close()


def test_the_peers_end_is_an_end(pair: Pair) -> None:
    pair.far.close()
    poll(pair.near, select.POLLIN)
    with pytest.raises(ChannelClosed, match=r"closed the connection|lost"):
        read_to(pair.near, 1)


def test_what_came_before_the_end_is_read_first(pair: Pair) -> None:
    pair.far.sendall(b"last words")
    socket.socket.shutdown(pair.far, socket.SHUT_WR)
    assert read_to(pair.near, 10) == b"last words"
    with pytest.raises(ChannelClosed):
        read_to(pair.near, 1)


@pytest.mark.parametrize("kind", ["tcp", "tls"])
def test_a_reset_is_a_loss_for_reader_and_writer(kind: str, ca: trustme.CA) -> None:
    near, far = tcp_pair() if kind == "tcp" else tls_pair(ca)
    stream_ = Stream(near)
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST_ON_CLOSE)
    far.close()
    with pytest.raises(ChannelClosed, match=r"lost while receiving|closed the connection"):
        read_to(stream_, 1)
    with pytest.raises(ChannelClosed, match="lost while sending"):
        write_all(stream_, bytes(100_000))
    stream_.close()


def test_a_shutdown_wakes_whoever_polls(pair: Pair) -> None:
    def wait() -> None:
        poller = select.poll()
        poller.register(pair.near.fileno(), select.POLLIN)
        assert poller.poll(GUARD_S * 1000), "nobody was woken"
        while pair.near.read() is None:
            pass

    waiting = Task(wait)
    pair.near.shutdown()
    with pytest.raises(ChannelClosed):
        waiting.result()
    with pytest.raises(ChannelClosed):
        write_all(pair.near, b"more")
    pair.near.shutdown()


def test_a_closed_stream_is_an_end_too(pair: Pair) -> None:
    pair.near.close()
    pair.near.close()
    assert pair.near.fileno() == -1
    for call in (pair.near.read, lambda: pair.near.write(b"x")):
        with pytest.raises(ChannelClosed):
            call()
    assert not pair.near.has_buffered()
    pair.near.shutdown()


def test_an_abort_throws_away_what_the_peer_has_not_read() -> None:
    near, far = tcp_pair()
    stream_ = Stream(near)
    stream_.write(b"stale")
    stream_.abort()
    stream_.close()
    with pytest.raises(ConnectionResetError):
        until_closed(far)
    far.close()


def test_the_kernels_count_of_unacknowledged_bytes_is_real() -> None:
    near, far = tcp_pair()
    far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stream_ = Stream(near)
    stream.prepare(near)
    assert stream_.unacknowledged_bytes() == 0
    written = 0
    while more := stream_.write(bytes(2000)):
        written += more
    waiting = wait_until(lambda: settled(stream_), GUARD_S, "the far kernel to be full")
    assert 0 < waiting < written
    receive_all(far, written)
    wait_until(lambda: stream_.unacknowledged_bytes() == 0, GUARD_S, "all to be acknowledged")
    stream_.close()
    far.close()


def settled(near: Stream) -> int:
    """What is unacknowledged, once it does not change any more."""
    first = near.unacknowledged_bytes()
    select.select([], [], [], 0.05)
    return first if near.unacknowledged_bytes() == first else 0


def test_prepared_sockets_keep_stale_audio_out_of_the_kernel() -> None:
    near, far = tcp_pair()
    stream.prepare(near)
    assert near.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert near.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert near.getsockopt(socket.IPPROTO_TCP, 25) == 4096  # TCP_NOTSENT_LOWAT, linux/tcp.h
    assert 5000 <= near.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) <= 30_000
    near.close()
    far.close()


def test_errors_are_described_in_one_line_without_pythons_dressing(ca: trustme.CA) -> None:
    assert stream.describe(ConnectionRefusedError(111, "Connection refused")) == "Connection refused"
    assert stream.describe(TimeoutError("timed out")) == "timed out"
    assert stream.describe(ValueError()) == "ValueError"
    eof = ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "EOF occurred in violation of protocol (_ssl.c:2393)")
    assert stream.describe(eof) == "the other side closed it without a word"
    near, far = tcp_pair()
    server = Task(lambda: server_tls(ca).wrap_socket(far, server_side=True))
    with pytest.raises(ssl.SSLError) as raised:
        ssl.create_default_context().wrap_socket(near, server_hostname="localhost")
    assert stream.describe(raised.value).startswith("certificate refused: ")
    near.close()
    with pytest.raises(OSError, match=r"."):
        server.result()
    far.close()


def test_a_write_after_the_peer_cut_tls_says_who_closed(ca: trustme.CA) -> None:
    """Which thread notices first is chance: what the sender says has to be as plain as what the receiver says."""
    near, far = tls_pair(ca)
    cut = Stream(near)
    socket.socket(fileno=far.detach()).close()
    with pytest.raises(ChannelClosed, match="closed the connection without a close frame"):
        read_to(cut, 1)

    def write() -> None:
        until_s = time.monotonic() + GUARD_S
        while time.monotonic() < until_s:  # the first may be taken: the kernel has not heard the peer's answer yet
            cut.write(b"x")

    with pytest.raises(ChannelClosed, match=r"lost while sending: (the other side|Broken|Connection)") as lost:
        write()
    assert "ssl" not in str(lost.value), "in plain words"
    cut.close()


@pytest.mark.parametrize("cipher", ["1.3", "ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256"])
def test_a_write_adds_no_more_on_the_wire_than_is_allowed_for(ca: trustme.CA, cipher: str) -> None:
    context = client_tls(ca)
    if cipher != "1.3":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(f"{cipher}:@SECLEVEL=0")
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(to_client, to_server, server_hostname="localhost")
    server = server_tls(ca).wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client, server, client):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    assert cipher in f"{client.version()} {client.cipher()}"
    to_server.read()
    for size in range(400, 500):
        client.write(bytes(size))
        assert size < len(to_server.read()) <= size + stream._RECORD_BYTES
    near, far = tls_pair(ca)
    with near, far:
        assert Stream(near).record_bytes == stream._RECORD_BYTES
