"""By which address and interface this machine sends to a peer: asked of the kernel over rtnetlink (rtnetlink(7))."""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import Final, NamedTuple

_NLM_F_REQUEST: Final = 1
_RTM_NEWROUTE: Final = 24
_RTM_GETROUTE: Final = 26
_RTA_DST: Final = 1
_RTA_OIF: Final = 4
_RTA_PREFSRC: Final = 7
_USABLE: Final = (1, 2)  # RTN_UNICAST, RTN_LOCAL; the others throw packets away
_HEADER: Final = struct.Struct("=IHHII")  # struct nlmsghdr: length, type, flags, sequence, port
_RTMSG: Final = struct.Struct("=BBBBBBBBI")  # struct rtmsg: family, dst_len, …, type, flags
_ATTRIBUTE: Final = struct.Struct("=HH")  # struct rtattr: length, type
_MAPPED: Final = bytes(10) + b"\xff\xff"
_ANSWER_BYTES: Final = 65536


class Route(NamedTuple):
    """What the kernel would do with a packet of a connection made now."""

    source: bytes
    """The address it would come from, 4 or 16 bytes."""
    interface: int
    """The index of the interface it would leave by."""


class Peer(NamedTuple):
    """Where packets go to."""

    family: socket.AddressFamily
    address: bytes
    """4 or 16 bytes."""
    scope: int
    """The interface that an IPv6 link-local address holds for; 0 for all others."""


class UsedRoute:
    """What a connected socket sends by. Never waits: the kernel answers within the call. One thread at a time."""

    def __init__(self, sock: socket.socket) -> None:
        """To be made as soon as `sock` is connected: its interface is the one that the kernel chooses now."""
        self._peer: Peer | None = None
        self._source = b""
        with contextlib.suppress(OSError):  # closed already
            if sock.family in (socket.AF_INET, socket.AF_INET6):
                self._peer = _peer_of(sock)
                self._source = _packed(sock.family, sock.getsockname()[0])
        route = self._ask()
        self._interface = None if route is None else route.interface

    def changed(self) -> bool:
        """True where a connection made now would come from another address or leave by another interface.

        Where nothing leads to the peer now it is not changed: the way may come back, and there is no other.
        """
        route = self._ask()
        if route is None:
            return False
        return route.source != self._source or (self._interface is not None and route.interface != self._interface)

    def _ask(self) -> Route | None:
        return None if self._peer is None else route_to(self._peer)


def route_to(peer: Peer) -> Route | None:
    """The way to `peer` at this moment. None where there is none, or where a sandbox forbids to ask. Any thread."""
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE) as netlink:
            netlink.sendto(_question(peer), (0, 0))
            return read_answer(netlink.recv(_ANSWER_BYTES))
    except OSError:
        return None


def _question(peer: Peer) -> bytes:
    attributes = _attribute(_RTA_DST, peer.address)
    if peer.scope:
        attributes += _attribute(_RTA_OIF, struct.pack("=I", peer.scope))
    body = _RTMSG.pack(peer.family, len(peer.address) * 8, 0, 0, 0, 0, 0, 0, 0) + attributes
    return _HEADER.pack(_HEADER.size + len(body), _RTM_GETROUTE, _NLM_F_REQUEST, 1, 0) + body


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value  # 4 or 16 bytes: nothing to pad


def read_answer(data: bytes) -> Route | None:
    """The route in the kernel's answer; None for an error, or where it leads nowhere."""
    start = _HEADER.size + _RTMSG.size
    if len(data) < start:
        return None
    length, kind, *_ = _HEADER.unpack_from(data)
    if kind != _RTM_NEWROUTE or _RTMSG.unpack_from(data, _HEADER.size)[7] not in _USABLE:
        return None
    found: dict[int, bytes] = {}
    offset, end = start, min(length, len(data))
    while offset + _ATTRIBUTE.size <= end:
        size, attribute = _ATTRIBUTE.unpack_from(data, offset)
        if size < _ATTRIBUTE.size or offset + size > end:
            break
        found[attribute] = data[offset + _ATTRIBUTE.size : offset + size]
        offset += (size + 3) & ~3
    interface = found.get(_RTA_OIF, b"")
    if _RTA_PREFSRC not in found or len(interface) != 4:
        return None
    return Route(found[_RTA_PREFSRC], int(struct.unpack("=I", interface)[0]))


def _peer_of(sock: socket.socket) -> Peer:
    name = sock.getpeername()
    address = _packed(sock.family, name[0])
    family = socket.AF_INET if len(address) == 4 else socket.AF_INET6
    return Peer(family, address, name[3] if family == socket.AF_INET6 else 0)


def _packed(family: int, address: str) -> bytes:
    """The address in 4 or 16 bytes; one of IPv4 that an IPv6 socket shows (`::ffff:…`) is IPv4 all the same."""
    packed = socket.inet_pton(family, address)
    return packed[len(_MAPPED) :] if packed.startswith(_MAPPED) and len(packed) == 16 else packed
