"""An attempt can be ended at every stage, and waits for nobody for long."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator

import pytest
import trustme

from ingestd.errors import ChannelClosed, ChannelError
from ingestd.net import dialer
from ingestd.net.dialer import Cancel, Dialer
from tests.rig.process import wait_until
from tests.unit.peers import GUARD_S, Task, client_tls, server_tls, serving, until_closed

PLAIN = ssl.create_default_context()


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.mark.parametrize("stage", ["tls", "upgrade", "upgrade over tls"])
def test_an_attempt_is_cancelled_from_another_thread_within_a_second(stage: str, ca: trustme.CA) -> None:
    context = None if stage == "upgrade" else client_tls(ca)
    with serving(until_closed, server_tls(ca) if stage == "upgrade over tls" else None) as server:
        cancel = Cancel()
        url = f"{'wss' if context else 'ws'}://127.0.0.1:{server.port}/"
        task = Task(lambda: Dialer(context or PLAIN).open(url, cancel, time.monotonic() + GUARD_S))
        wait_until(lambda: server.connections, GUARD_S, "the connection")
        time.sleep(0.1)  # so that it is in the middle of its handshake
        cancelled_s = time.monotonic()
        cancel.cancel()
        with pytest.raises(ChannelError):
            task.result()
        assert time.monotonic() - cancelled_s < 1.0


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port whose kernel drops every SYN: the queue of the listener is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, contextlib.ExitStack() as waiting:
        port: int = listener.getsockname()[1]
        for _ in range(4):
            sock = waiting.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
        yield port


def test_an_address_that_does_not_answer_is_tried_again_and_given_up(
    deaf_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialer, "CONNECT_S", (0.1, 0.2, 0.3))
    started = time.monotonic()
    with pytest.raises(ChannelError, match=r"can't connect to .*: timed out"):
        Dialer(PLAIN).open(f"ws://127.0.0.1:{deaf_port}/", Cancel(), time.monotonic() + GUARD_S)
    assert time.monotonic() - started > 0.55


def test_an_attempt_that_waits_for_its_connection_is_cancelled_within_a_second(deaf_port: int) -> None:
    cancel = Cancel()
    task = Task(lambda: Dialer(PLAIN).open(f"ws://127.0.0.1:{deaf_port}/", cancel, time.monotonic() + GUARD_S))
    time.sleep(0.1)
    cancelled_s = time.monotonic()
    cancel.cancel()
    with pytest.raises(ChannelError):
        task.result()
    assert time.monotonic() - cancelled_s < 1.0


def test_what_was_cancelled_before_is_not_begun() -> None:
    cancel = Cancel()
    cancel.cancel()
    cancel.cancel()
    assert cancel.requested
    with serving(until_closed) as server:
        with pytest.raises(ChannelClosed, match="abandoned"):
            Dialer(PLAIN).open(f"ws://127.0.0.1:{server.port}/", cancel, time.monotonic() + GUARD_S)
        assert server.connections == 0
