"""Names for tests, and addresses that answer in every way a network has."""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.rig.free_port import free_port

Where = tuple[str, int]

KINDS = {
    True: socket.AF_INET6,
    False: socket.AF_INET,
}


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not _has_ipv6(), reason="needs IPv6 on the loopback")


def named(monkeypatch: pytest.MonkeyPatch, *where: Where) -> None:
    """Every name has these addresses from now on, in this order."""

    def getaddrinfo(_host: str, _port: int, **_options: object) -> list[tuple[Any, ...]]:
        return [
            (
                KINDS[":" in address],
                socket.SOCK_STREAM,
                6,
                "",
                (address, port, 0, 0) if ":" in address else (address, port),
            )
            for address, port in where
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@contextlib.contextmanager
def listening(address: str) -> Iterator[tuple[Where, socket.socket]]:
    """A listener at that address of this machine: its queue takes connections."""
    with socket.create_server((address, 0), family=KINDS[":" in address]) as listener:
        listener.settimeout(20.0)
        yield (address, listener.getsockname()[1]), listener


@contextlib.contextmanager
def deaf(address: str) -> Iterator[Where]:
    """An address of this machine whose kernel drops every SYN: the queue of its listener is full."""
    with (
        socket.create_server((address, 0), family=KINDS[":" in address], backlog=0) as listener,
        contextlib.ExitStack() as queue,
    ):
        where = (address, listener.getsockname()[1])
        for _ in range(4):
            sock = queue.enter_context(socket.socket(KINDS[":" in address]))
            sock.setblocking(False)
            sock.connect_ex(where)
        assert select.select([listener], [], [], 20.0)[0], "one waits to be accepted: then no other SYN is heard"
        yield where


def refusing(address: str) -> Where:
    """An address of this machine where nobody listens, nor will while a test runs."""
    return address, free_port()
