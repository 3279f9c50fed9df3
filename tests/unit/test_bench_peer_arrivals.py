"""When media frames came to a port, told by the kernel and not by whoever reads."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import socket
import ssl
import struct
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.peers.arrivals import Flow, Watch
from tests.rig.process import wait_until
from tests.standin import certificates, frames
from tests.unit.peers import GUARD_S

pytestmark = pytest.mark.root

_REQUEST = b"GET /videosdk?ref=one HTTP/1.1\r\nHost: here\r\n\r\n"
_FRAMES = 8


def _media(number: int) -> bytes:
    message = json.dumps({"event": "media", "payload": base64.b64encode(bytes([number]) * 320).decode()})
    return frames.encode(frames.TEXT, message.encode(), mask=os.urandom(4))


@contextlib.contextmanager
def _connection(tls: Path | None = None) -> Iterator[tuple[socket.socket, Watch]]:
    """The client's end of a connection to a port that is watched; its other end reads nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server, Watch(server.getsockname()[1]) as watch:
        client = socket.create_connection(server.getsockname())
        accepted, _ = server.accept()
        if tls is not None:
            context, ca_file = certificates.server_context(tls, [], False)
            taken: list[ssl.SSLSocket] = []
            answering = threading.Thread(target=lambda: taken.append(context.wrap_socket(accepted, server_side=True)))
            answering.start()
            client = ssl.create_default_context(cafile=str(ca_file)).wrap_socket(client, server_hostname="127.0.0.1")
            answering.join()
            (accepted,) = taken
        with client, accepted:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            yield client, watch


def _send(client: socket.socket) -> list[tuple[float, float]]:
    """Sends media frames; the moments just before each, and just after it had arrived."""
    around = []
    for number in range(_FRAMES):
        before_s = time.time()
        _deliver(client, _media(number))
        around.append((before_s, time.time()))
    return around


def _deliver(client: socket.socket, data: bytes) -> None:
    """Returns once it is acknowledged, and so has passed the watch: a busy kernel may deliver some time later."""
    client.sendall(data)
    on_its_way = bytearray(4)

    def arrived() -> bool:
        fcntl.ioctl(client, termios.TIOCOUTQ, on_its_way)
        return not any(on_its_way)

    wait_until(arrived, GUARD_S, "its arrival", every=0.0005)


def _assert_between(flow: Flow, around: list[tuple[float, float]]) -> None:
    assert len(flow.stamps_s) == _FRAMES
    for stamp_s, (before_s, after_s) in zip(flow.stamps_s, around, strict=True):
        assert before_s - 1e-6 <= stamp_s <= after_s + 1e-6  # a double holds so much of the time of day


def test_each_frame_has_the_moment_of_its_arrival_however_late_it_is_read() -> None:
    with _connection() as (client, watch):
        client.sendall(_REQUEST)
        around = _send(client)
        (flow,) = watch.flows()
        _assert_between(flow, around)


def test_a_watch_stamps_from_its_first_segment_on() -> None:
    for _ in range(20):  # with no watch the kernel ceases to stamp, and it begins again some time after the next
        with _connection() as (client, watch):
            client.sendall(_REQUEST)
            around = _send(client)
            (flow,) = watch.flows()
            _assert_between(flow, around)
        time.sleep(0.02)


def test_under_tls_frames_are_told_by_their_length(tmp_path: Path) -> None:
    with _connection(tmp_path) as (client, watch):
        client.sendall(b"GET /videosdk HTTP/1.1\r\n\r\n")
        around = _send(client)
        _deliver(client, frames.encode(frames.TEXT, b'{"event":"stop"}', mask=bytes(4)))
        (flow,) = watch.flows()
        _assert_between(flow, around)


def test_frames_that_came_together_have_one_stamp() -> None:
    with _connection() as (client, watch):
        third = _media(3)
        _deliver(client, _REQUEST + _media(1) + _media(2) + third[:100])
        _deliver(client, third[100:])
        (flow,) = watch.flows()
        assert flow.stamps_s[0] == flow.stamps_s[1]
        assert flow.stamps_s[2] > flow.stamps_s[1]


def test_another_port_is_none_of_its_business() -> None:
    with _connection() as (_, watch), _connection() as (client, _):
        _deliver(client, _REQUEST + _media(1))
        (flow,) = watch.flows()
        assert len(flow.stamps_s) == 0


def test_the_end_of_a_connection_is_no_missing_segment() -> None:
    with _connection() as (client, watch):
        _deliver(client, _REQUEST + _media(1))
        client.shutdown(socket.SHUT_WR)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        assert [len(flow.stamps_s) for flow in watch.flows()] == [1]


def test_what_comes_again_counts_once_and_what_is_missing_is_said() -> None:
    flow = Flow(0xFFFFFFFF)
    data = _REQUEST + _media(1)
    flow.take(0xFFFFFFFF, data, 1.0)
    flow.take(0xFFFFFFFF, data, 2.0)
    assert flow.stamps_s.tolist() == [1.0]
    with pytest.raises(RuntimeError, match="missing"):
        flow.take(len(data) + 5, b"later", 3.0)
