"""The sockets that scrapes come in on, one for each address of the configured host."""

from __future__ import annotations

import contextlib
import errno
import socket
import time
from typing import Final

from ingestd.errors import ChannelError, MetricsError
from ingestd.net.cancel import Cancel
from ingestd.net.resolve import resolve

_BACKLOG: Final = 16
_MOST: Final = 4
_RESOLVE_S: Final = 3.0
"""Less than what the watchdog takes for standing still."""


def shown(host: str, port: int) -> str:
    """As the configuration has it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def listen(host: str, port: int, cancel: Cancel) -> list[socket.socket]:
    """Listening sockets, at least one. Blocks for seconds at most, and until cancelled. Raises MetricsError."""
    where = shown(host, port)
    try:
        addresses = resolve(host, port, cancel, time.monotonic() + _RESOLVE_S)
    except ChannelError as error:
        raise MetricsError(f"can't serve figures on {where}: {error}") from None
    found = []
    refused = ""
    for family, address in addresses[:_MOST]:  # of localhost, [::1] may be missing
        try:
            found.append(_bound(family, address))
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            refused = "something else listens there" if taken else str(error.strerror or error)
    if not found:
        raise MetricsError(f"can't serve figures on {where}: {refused}")
    return found


def _bound(family: int, address: tuple[object, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            with contextlib.suppress(OSError):  # "::" is every address, of IPv4 too
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(address)
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock
