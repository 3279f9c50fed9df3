"""The client of the control socket, where the daemon is slow to let it in or sends it away."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestd.control.client import ControlClient
from ingestd.control.protocol import FORBIDDEN, RpcError, encode_error, encode_result
from tests.unit.peers import GUARD_S


@pytest.fixture
def crowded(tmp_path: Path) -> Iterator[socket.socket]:
    """A listening socket whose queue is full: one that has a time-out is refused there at once."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(tmp_path / "control.sock"))
        listener.listen(0)
        listener.settimeout(GUARD_S)
        first = stack.enter_context(socket.socket(socket.AF_UNIX))
        first.connect(str(tmp_path / "control.sock"))
        yield listener


def test_it_waits_for_its_turn_where_too_many_want_in(crowded: socket.socket, tmp_path: Path) -> None:
    def serve() -> None:
        time.sleep(0.1)
        crowded.accept()[0].close()
        with crowded.accept()[0] as sock:
            sock.recv(4096)
            sock.sendall(encode_result(1, "served"))

    server = threading.Thread(target=serve)
    server.start()
    with ControlClient(tmp_path / "control.sock", GUARD_S) as client:
        assert client.call("status") == "served"
    server.join()


@pytest.mark.usefixtures("crowded")
def test_it_does_not_wait_for_ever(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError, match="too many programs"):
        ControlClient(tmp_path / "control.sock", 0.05)


def test_it_says_why_it_was_sent_away(crowded: socket.socket, tmp_path: Path) -> None:
    crowded.accept()[0].close()
    with ControlClient(tmp_path / "control.sock", GUARD_S) as client:
        with crowded.accept()[0] as sock:
            sock.sendall(encode_error(None, RpcError(FORBIDDEN, "you may not")))
        with pytest.raises(RpcError, match="you may not"):
            client.call("status")
        with pytest.raises(ConnectionError):
            client.call("status")
