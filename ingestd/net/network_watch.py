"""Tells that the network changed, and may be back: rtnetlink's link, address and route events (rtnetlink(7))."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

_RTMGRP: Final = 0x1 | 0x10 | 0x40 | 0x100 | 0x400  # link, IPv4 address and route, IPv6 address and route
_RTM_NEWLINK: Final = 16
_RTM_DELLINK: Final = 17
_RTM_NEWADDR: Final = 20
_RTM_DELADDR: Final = 21
_RTM_NEWROUTE: Final = 24
_RTM_DELROUTE: Final = 25
_HEADER: Final = struct.Struct("=IHHII")  # struct nlmsghdr: length, type, flags, sequence, port
_IFINFO: Final = struct.Struct("=BxHiII")  # struct ifinfomsg: family, type, index, flags, change
_IFADDR: Final = struct.Struct("=BBBBI")  # struct ifaddrmsg: family, prefix length, flags, scope, index
_RTMSG: Final = struct.Struct("=BBBBBBBBI")  # struct rtmsg: …, type, flags
_IFF_LOWER_UP: Final = 0x10000
_IFF_OF_CONCERN: Final = 0x1 | 0x40 | 0x20000 | _IFF_LOWER_UP  # up, running, dormant, carrier
_LOOPBACK_INDEX: Final = 1
_RTN_OF_ADDRESSES: Final = (2, 3, 4, 5)  # local, broadcast, anycast, multicast
_RTM_F_CLONED: Final = 0x200
_READ_BYTES: Final = 65536


class Events(NamedTuple):
    """What the network's events come to, all taken together."""

    came_back: bool = False
    """A link came up, or an address or a route was added."""
    changed: bool = False
    """Anything that may lead packets another way: the above, and all that went away."""

    def __or__(self, other: Events) -> Events:
        return Events(self.came_back or other.came_back, self.changed or other.changed)


EVERYTHING: Final = Events(came_back=True, changed=True)
NOTHING: Final = Events()
_WENT: Final = Events(changed=True)


class NetworkWatch:
    """A netlink socket to `poll` on. One thread. Where the kernel or a sandbox gives none, `fileno` is -1."""

    def __init__(self) -> None:
        self._reader = EventReader()
        self._sock: socket.socket | None = None
        with contextlib.suppress(OSError):
            sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
            sock.bind((0, _RTMGRP))
            self._sock = sock

    def fileno(self) -> int:
        """Readable when something happened."""
        return -1 if self._sock is None else self._sock.fileno()

    def take(self) -> Events:
        """Reads all events there are, and tells what they come to. Never waits."""
        events = NOTHING
        while self._sock is not None:
            try:
                data = self._sock.recv(_READ_BYTES)
            except BlockingIOError:
                break
            except OSError:  # events were lost (ENOBUFS): better one look too many
                self._reader = EventReader()
                return EVERYTHING
            events |= self._reader.read(data)
        return events

    def close(self) -> None:
        """Gives the socket back."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None


class EventReader:
    """Reads the kernel's messages, and passes over those that can't concern a connection. One thread."""

    def __init__(self) -> None:
        self._flags: dict[int, int] = {}  # of each link, as last told: drivers tell the same again and again

    def read(self, data: bytes) -> Events:
        """What the netlink messages in `data` come to."""
        events = NOTHING
        for kind, body in _messages(data):
            events |= self._event(kind, body)
        return events

    def _event(self, kind: int, body: bytes) -> Events:
        if kind in (_RTM_NEWLINK, _RTM_DELLINK) and len(body) >= _IFINFO.size:
            return self._of_link(kind, body)
        if kind in (_RTM_NEWADDR, _RTM_DELADDR) and len(body) >= _IFADDR.size:
            if _IFADDR.unpack_from(body)[4] == _LOOPBACK_INDEX:
                return NOTHING
            return EVERYTHING if kind == _RTM_NEWADDR else _WENT
        if kind in (_RTM_NEWROUTE, _RTM_DELROUTE) and len(body) >= _RTMSG.size:
            return _of_route(kind, body)
        return NOTHING

    def _of_link(self, kind: int, body: bytes) -> Events:
        _family, _type, index, flags, _change = _IFINFO.unpack_from(body)
        flags &= _IFF_OF_CONCERN
        if kind == _RTM_DELLINK:
            self._flags.pop(index, None)
            return _WENT
        if self._flags.get(index) == flags:
            return NOTHING
        self._flags[index] = flags
        return EVERYTHING if flags & _IFF_LOWER_UP else _WENT


def _of_route(kind: int, body: bytes) -> Events:
    *_, route_type, flags = _RTMSG.unpack_from(body)
    if flags & _RTM_F_CLONED or route_type in _RTN_OF_ADDRESSES:
        return NOTHING  # of a cache; or of an address, which has an event of its own
    return EVERYTHING if kind == _RTM_NEWROUTE else _WENT


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and body of each; the last one may be cut short."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, _flags, _sequence, _port = _HEADER.unpack_from(data, offset)
        if length < _HEADER.size:
            break
        yield kind, data[offset + _HEADER.size : offset + length]
        offset += (length + 3) & ~3
