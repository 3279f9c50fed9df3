"""Opens a TCP connection to a host by whichever of its addresses answers first (happy eyeballs, RFC 8305).

IPv6 and IPv4 take turns, IPv6 first, so that a broken one costs no more than the stagger. Who did not answer is asked
again by a fresh SYN, round by round, as the kernel would wait ever longer with its own.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import time
from collections.abc import Callable, Iterable
from itertools import chain, zip_longest
from typing import Final

from ingestd.core.times import DEFAULT, Times
from ingestd.errors import ChannelError
from ingestd.net import stream
from ingestd.net.cancel import Cancel
from ingestd.net.resolve import Address

_TIMED_OUT: Final = "timed out"


def connect(
    host: str, port: int, found: list[Address], cancel: Cancel, deadline_s: float, times: Times = DEFAULT
) -> socket.socket:
    """A connected socket, prepared for a call (`stream.prepare`), by `deadline_s` (CLOCK_MONOTONIC).

    `found` are the addresses of `host`, at least one (`resolve`). Raises ChannelError, which tells what was tried, or
    ChannelClosed where cancelled; then nothing is left open.
    """
    left = _taking_turns(found)
    faults: dict[str, str] = {}
    for round_s in times.connect_rounds_s:
        race = _Race(left, round_s, times.stagger_s, deadline_s)
        won = race.run(cancel)
        if won is not None:
            return won
        faults |= {_name(address): fault for address, fault in race.faults}
        # Who refused, or can't be reached, would tell the same again.
        left = [address for address, fault in race.faults if fault == _TIMED_OUT]
        if not left or time.monotonic() >= deadline_s:
            break
    raise ChannelError(f"can't connect to {host}:{port}: {_told(faults, host)}; check the network")


class _Race:
    """One round: every address is asked, the next one after `stagger_s` or as soon as one has failed."""

    def __init__(self, addresses: Iterable[Address], round_s: float, stagger_s: float, deadline_s: float) -> None:
        self._waiting = list(addresses)
        self._round_s = round_s
        self._stagger_s = stagger_s
        self._deadline_s = deadline_s
        self._next_s = time.monotonic()
        self._asked: dict[int, tuple[socket.socket, Address, float]] = {}
        self._poll = select.poll()
        self.faults: list[tuple[Address, str]] = []
        """Who did not connect, and why."""

    def run(self, cancel: Cancel) -> socket.socket | None:
        """The first that connects; None where none did. Raises ChannelClosed where cancelled."""
        wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        try:
            self._poll.register(wake, select.POLLIN)
            with cancel.waking(_writing(wake)):
                while self._waiting or self._asked:
                    won = self._step(time.monotonic())
                    if won is not None:
                        return won
                    cancel.check()
            return None
        finally:
            for sock, _address, _until_s in self._asked.values():
                sock.close()
            os.close(wake)

    def _step(self, now: float) -> socket.socket | None:
        while self._waiting and now >= self._next_s:
            self._ask(self._waiting.pop(0), now)
        dues = [until_s for _sock, _address, until_s in self._asked.values()]
        if self._waiting:
            dues.append(self._next_s)
        wait_s = max(0.0, min(dues) - now) if dues else 0.0
        for fd, _events in self._poll.poll(wait_s * 1000.0 + 1.0):
            if fd not in self._asked:
                continue  # woken by `cancel`
            sock, address, _until_s = self._asked[fd]
            fault = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if fault == 0:
                del self._asked[fd]
                return sock
            self._drop(fd, address, os.strerror(fault))
        now = time.monotonic()
        for fd, (_sock, address, until_s) in list(self._asked.items()):
            if now >= until_s:
                self._drop(fd, address, _TIMED_OUT)
        return None

    def _ask(self, address: Address, now: float) -> None:
        family, where = address
        self._next_s = now + self._stagger_s
        sock = None
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)  # fails where the kernel has no such family
            stream.prepare(sock)
            sock.setblocking(False)
            fault = sock.connect_ex(where)
        except OSError as error:
            fault = error.errno or errno.EIO
        if sock is not None and fault in (0, errno.EINPROGRESS):
            self._asked[sock.fileno()] = (sock, address, min(now + self._round_s, self._deadline_s))
            self._poll.register(sock, select.POLLOUT)
            return
        if sock is not None:
            sock.close()
        self._failed(address, os.strerror(fault))

    def _drop(self, fd: int, address: Address, fault: str) -> None:
        self._poll.unregister(fd)
        sock, _address, _until_s = self._asked.pop(fd)
        sock.close()
        self._failed(address, fault)

    def _failed(self, address: Address, fault: str) -> None:
        self.faults.append((address, fault))
        self._next_s = 0.0


def _writing(eventfd: int) -> Callable[[], None]:
    def wake() -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_write(eventfd, 1)

    return wake


def _taking_turns(addresses: list[Address]) -> list[Address]:
    """IPv6, IPv4, IPv6, …; within a family in the system's order."""
    sixes = [address for address in addresses if address[0] == socket.AF_INET6]
    others = [address for address in addresses if address[0] != socket.AF_INET6]
    return [address for address in chain.from_iterable(zip_longest(sixes, others)) if address is not None]


def _name(address: Address) -> str:
    return str(address[1][0])


def _told(faults: dict[str, str], host: str) -> str:
    if list(faults) == [host] or not faults:
        return faults.get(host, _TIMED_OUT)
    # Sorted, as a name's addresses may come in another order every time.
    return "tried " + ", ".join(f"{name} ({faults[name]})" for name in sorted(faults))
