"""Each way in which the proxy misbehaves, seen from both of its ends."""

from __future__ import annotations

import array
import fcntl
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.rig.process import wait_until
from tests.rig.proxy import FaultProxy

SIOCOUTQ = 0x5411


@dataclass
class Link:
    """A client, the service's end of its connection, and the proxy between."""

    proxy: FaultProxy
    service: socket.socket
    client: socket.socket
    server: socket.socket

    def connect(self) -> tuple[socket.socket, socket.socket]:
        client = socket.create_connection(("127.0.0.1", self.proxy.port), timeout=20)
        server, _ = self.service.accept()
        server.settimeout(20)
        return client, server


@pytest.fixture
def link() -> Iterator[Link]:
    with socket.create_server(("127.0.0.1", 0)) as service:
        service.settimeout(20)
        with FaultProxy(service.getsockname()[1]) as proxy:
            client = socket.create_connection(("127.0.0.1", proxy.port), timeout=20)
            server, _ = service.accept()
            server.settimeout(20)
            with client, server:
                yield Link(proxy, service, client, server)


def unacknowledged(sock: socket.socket) -> int:
    count = array.array("i", [0])
    fcntl.ioctl(sock, SIOCOUTQ, count)
    return count[0]


def receive(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        chunk = sock.recv(size - len(data))
        if not chunk:
            break
        data += chunk
    return data


def say_and_hear(sock: socket.socket, data: bytes) -> bytes:
    sock.sendall(data)
    return sock.recv(1)


def silent(sock: socket.socket, seconds: float = 0.3) -> bool:
    """Whether nothing comes, not even an end."""
    before = sock.gettimeout()
    sock.settimeout(seconds)
    try:
        sock.recv(1)
    except TimeoutError:
        return True
    finally:
        sock.settimeout(before)
    return False


def test_passes_both_ways_and_closes_in_order(link: Link) -> None:
    payload = bytes(range(256)) * 4000
    link.client.sendall(b"up")
    assert receive(link.server, 2) == b"up"
    link.server.setblocking(True)
    link.server.sendall(payload[:100_000])
    assert receive(link.client, 100_000) == payload[:100_000]
    link.client.sendall(b"last words")
    link.client.shutdown(socket.SHUT_WR)
    assert receive(link.server, 100) == b"last words"
    link.server.close()
    assert link.client.recv(1) == b""
    wait_until(lambda: link.proxy.stats().active == 0, 20, "the pair to be closed")
    stats = link.proxy.stats()
    assert (stats.accepted, stats.up, stats.down) == (1, 12, 100_000)


def test_an_upstream_that_is_gone_is_a_reset(link: Link) -> None:
    link.service.close()
    # It may come while connecting or only after.
    with (
        pytest.raises(ConnectionResetError),
        socket.create_connection(("127.0.0.1", link.proxy.port), timeout=20) as late,
    ):
        late.recv(1)


def test_jitter_delays_and_keeps_the_order(link: Link) -> None:
    payload = bytes(range(256)) * 2
    link.proxy.jitter(30, 60, max_piece=100, seed=7)
    start = time.monotonic()
    link.client.sendall(payload)
    assert receive(link.server, len(payload)) == payload
    assert time.monotonic() - start >= 0.03


def test_jitter_of_one_direction_leaves_the_other(link: Link) -> None:
    link.proxy.jitter(60_000, 60_000, direction="up")
    link.client.sendall(b"late")
    link.server.sendall(b"now")
    assert receive(link.client, 3) == b"now"
    assert silent(link.server)


def test_stall_acknowledges_and_reads_nothing(link: Link) -> None:
    link.proxy.stall("up")
    link.client.sendall(b"held back")
    assert silent(link.server)
    wait_until(lambda: unacknowledged(link.client) == 0, 20, "the acknowledgement")
    link.server.sendall(b"down")
    assert receive(link.client, 4) == b"down"
    link.proxy.restore()
    assert receive(link.server, 9) == b"held back"


def test_black_hole_acknowledges_nothing_until_restored(link: Link) -> None:
    link.proxy.black_hole()
    link.client.sendall(b"x" * 1000)
    link.server.sendall(b"y" * 1000)
    assert silent(link.server)
    assert silent(link.client)
    assert unacknowledged(link.client) == 1000
    assert unacknowledged(link.server) == 1000
    with socket.socket() as late:
        late.settimeout(0.3)
        with pytest.raises(TimeoutError):
            late.connect(("127.0.0.1", link.proxy.port))
    link.proxy.restore()
    assert receive(link.server, 1000) == b"x" * 1000
    assert receive(link.client, 1000) == b"y" * 1000


def test_reset_ends_what_is_open_and_lets_new_ones_in(link: Link) -> None:
    link.proxy.reset()
    for end in (link.client, link.server):
        with pytest.raises(ConnectionResetError):
            end.recv(1)
    client, server = link.connect()
    with client, server:
        client.sendall(b"again")
        assert receive(server, 5) == b"again"


def test_refuse_turns_new_ones_away_and_keeps_the_old(link: Link) -> None:
    link.proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", link.proxy.port), timeout=20)
    link.client.sendall(b"still here")
    assert receive(link.server, 10) == b"still here"
    link.proxy.restore()
    client, server = link.connect()
    client.close()
    server.close()


def test_trickle_and_throttle_bound_the_throughput(link: Link) -> None:
    link.proxy.trickle(100, "up")
    start, passed = time.monotonic(), 0
    link.client.sendall(b"z" * 30)
    while passed < 30:
        passed += len(link.server.recv(100))
        assert passed <= 1 + 100 * (time.monotonic() - start)
    assert passed == 30
    link.proxy.throttle(80, "up")  # 10,000 bytes a second
    start = time.monotonic()
    link.client.sendall(b"z" * 3000)
    assert receive(link.server, 3000) == b"z" * 3000
    assert time.monotonic() - start >= 0.28


def test_cut_mid_frame_lets_exactly_so_much_through(link: Link) -> None:
    link.proxy.cut_mid_frame(7, "down")
    link.server.sendall(b"0123456789")
    assert receive(link.client, 7) == b"0123456"
    with pytest.raises(ConnectionResetError):
        link.client.recv(1)
    client, server = link.connect()
    with client, server:
        server.sendall(b"0123456789")
        assert receive(client, 10) == b"0123456789"


def test_cut_is_dark_then_resets_then_passes(link: Link) -> None:
    start = time.monotonic()
    link.proxy.cut(0.5)
    with pytest.raises(ConnectionResetError):
        say_and_hear(link.client, b"lost")
    assert time.monotonic() - start >= 0.5
    client, server = link.connect()
    with client, server:
        client.sendall(b"back")
        assert receive(server, 4) == b"back"


def test_a_small_buffer_soon_fills_while_nobody_reads() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as service,
        FaultProxy(service.getsockname()[1], rcvbuf=4096) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port), timeout=20) as client,
    ):
        proxy.wait_for_connections(1)
        proxy.stall()
        client.setblocking(False)
        client.send(b"x" * 16384)
        wait_until(lambda: unacknowledged(client) < 16384, 20, "the first bytes to be taken")
        assert unacknowledged(client) > 0
