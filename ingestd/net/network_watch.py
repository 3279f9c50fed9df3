"""Tells that the network may be back: rtnetlink's link, address and route events (rtnetlink(7))."""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import Final

_RTMGRP: Final = 0x1 | 0x10 | 0x40 | 0x100 | 0x400  # link, IPv4 address and route, IPv6 address and route
_RTM_NEWLINK: Final = 16
_RTM_NEWADDR: Final = 20
_RTM_NEWROUTE: Final = 24
_HEADER: Final = struct.Struct("=IHHII")  # struct nlmsghdr: length, type, flags, sequence, port
_IFINFO: Final = struct.Struct("=BxHiII")  # struct ifinfomsg: family, type, index, flags, change
_IFF_LOWER_UP: Final = 0x10000


class NetworkWatch:
    """A netlink socket to `poll` on. One thread. Where the kernel or a sandbox gives none, `fileno` is -1."""

    def __init__(self) -> None:
        self._sock: socket.socket | None = None
        with contextlib.suppress(OSError):
            sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
            sock.bind((0, _RTMGRP))
            self._sock = sock

    def fileno(self) -> int:
        """Readable when something changed."""
        return -1 if self._sock is None else self._sock.fileno()

    def came_back(self) -> bool:
        """Reads all events there are; True if a link came up or an address or route was added."""
        back = False
        while self._sock is not None:
            try:
                data = self._sock.recv(65536)
            except BlockingIOError:
                break
            except OSError:
                return True  # events were lost (ENOBUFS): better one look too many
            back |= any_came_back(data)
        return back

    def close(self) -> None:
        """Gives the socket back."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None


def any_came_back(data: bytes) -> bool:
    """True if the netlink messages in `data` hold a link that is up, a new address or a new route."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, _flags, _sequence, _port = _HEADER.unpack_from(data, offset)
        body = offset + _HEADER.size
        if kind in (_RTM_NEWADDR, _RTM_NEWROUTE):
            return True
        if kind == _RTM_NEWLINK and body + _IFINFO.size <= len(data):
            flags = _IFINFO.unpack_from(data, body)[3]
            if flags & _IFF_LOWER_UP:
                return True
        if length < _HEADER.size:
            break
        offset += (length + 3) & ~3
    return False
