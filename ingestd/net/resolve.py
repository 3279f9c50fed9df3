"""From a host's name to its addresses, within a deadline: getaddrinfo has none, and can't be interrupted."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
import time
from typing import Any, Final

from ingestd.core.times import DEFAULT, Times
from ingestd.errors import ChannelError
from ingestd.net import stream
from ingestd.net.cancel import Cancel

Address = tuple[int, tuple[Any, ...]]
"""Family and socket address, as `socket.connect` takes it."""

_MOST_UNDER_WAY: Final = 8
_under_way = threading.BoundedSemaphore(_MOST_UNDER_WAY)
"""Look-ups that were given up end by themselves, after half a minute with glibc; until then each holds a thread."""


def resolve(host: str, port: int, cancel: Cancel, deadline_s: float, times: Times = DEFAULT) -> list[Address]:
    """The addresses of `host`, in the system's order, at least one. Blocks until `deadline_s` (CLOCK_MONOTONIC).

    Raises ChannelError, or ChannelClosed where cancelled.
    """
    cancel.check()
    if _is_address(host):
        return _read(host, port)
    if not _under_way.acquire(blocking=False):
        raise ChannelError(
            f"can't resolve {host}: {_MOST_UNDER_WAY} look-ups of names are stuck already; check DNS (/etc/resolv.conf)"
        )
    import queue  # here: whoever gives an address does without

    answers: queue.SimpleQueue[list[Address] | ChannelError | None] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(_look_up(host, port))
        except ChannelError as error:
            answers.put(error)
        finally:
            _under_way.release()

    try:
        threading.Thread(target=ask, name="resolve", daemon=True).start()
    except RuntimeError:
        _under_way.release()
        raise
    most_s = max(0.0, min(times.dns_s, deadline_s - time.monotonic()))
    answer = None
    with cancel.waking(lambda: answers.put(None)), contextlib.suppress(queue.Empty):
        answer = answers.get(timeout=most_s)
    cancel.check()
    if answer is None:
        raise ChannelError(f"can't resolve {host}: no answer within {most_s:.0f} s; check the network and DNS")
    if isinstance(answer, ChannelError):
        raise answer
    return answer


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _read(address: str, port: int) -> list[Address]:
    """As it stands: no resolver is asked. It fails by an interface that is not there (fe80::1%eth0)."""
    try:
        return _addresses(address, port, socket.AI_NUMERICHOST)
    except OSError as error:
        told = f"can't use the address {address}: {stream.describe(error)}; check it and the network"
        raise ChannelError(told) from None


def _look_up(host: str, port: int) -> list[Address]:
    try:
        addresses = _addresses(host, port)
    except (OSError, UnicodeError) as error:
        raise ChannelError(f"can't resolve {host}: {stream.describe(error)}; check the network and DNS") from None
    if not addresses:
        raise ChannelError(f"can't resolve {host}: it has no address; check the network and DNS")
    return addresses


def _addresses(host: str, port: int, flags: int = 0) -> list[Address]:
    # As bytes, since text is put into IDNA first, whose tables take 0.1 MiB.
    name = host.encode("ascii") if host.isascii() else host
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=flags)
    return [(family, address) for family, _kind, _proto, _name, address in found]
