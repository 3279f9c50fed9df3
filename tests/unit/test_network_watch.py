"""What the kernel tells of the network."""

from __future__ import annotations

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.net.network_watch import EVERYTHING, NOTHING, EventReader, Events, NetworkWatch

NEWLINK, DELLINK, NEWADDR, DELADDR, NEWROUTE, DELROUTE, NEWNEIGH = 16, 17, 20, 21, 24, 25, 28
IFF_UP, IFF_PROMISC, IFF_LOWER_UP = 0x1, 0x100, 0x10000
UP = IFF_UP | IFF_LOWER_UP
UNICAST, LOCAL, MULTICAST, UNREACHABLE = 1, 2, 5, 7
CLONED = 0x200
LOOPBACK, ETH = 1, 2
WENT = Events(changed=True)


def message(kind: int, body: bytes) -> bytes:
    """One netlink message, padded as the kernel does."""
    size = 16 + len(body)
    return struct.pack("=IHHII", size, kind, 0, 0, 0) + body + bytes(-size % 4)


def link(flags: int, kind: int = NEWLINK, index: int = ETH) -> bytes:
    # A carrier's coming and going has no bit in the mask of changes.
    return message(kind, struct.pack("=BxHiII", 0, 1, index, flags, 0) + b"attributes")


def address(kind: int = NEWADDR, index: int = ETH) -> bytes:
    return message(kind, struct.pack("=BBBBI", socket.AF_INET, 24, 0, 0, index) + b"attributes")


def route(kind: int = NEWROUTE, route_type: int = UNICAST, flags: int = 0) -> bytes:
    return message(kind, struct.pack("=BBBBBBBBI", socket.AF_INET6, 0, 0, 0, 254, 3, 0, route_type, flags) + b"more")


def read(*messages: bytes) -> Events:
    return EventReader().read(b"".join(messages))


@pytest.mark.parametrize("data", [link(UP), address(), route(), route(route_type=UNREACHABLE)])
def test_what_comes_is_a_return_and_a_change(data: bytes) -> None:
    assert read(data) == EVERYTHING
    assert read(route(DELROUTE), link(IFF_UP, index=7), data) == EVERYTHING


@pytest.mark.parametrize("data", [link(IFF_UP), link(0), link(UP, DELLINK), address(DELADDR), route(DELROUTE)])
def test_what_goes_is_a_change_only(data: bytes) -> None:
    assert read(data) == WENT
    assert read(data, data) == WENT


@pytest.mark.parametrize(
    "data",
    [
        b"",
        message(3, b""),
        message(NEWNEIGH, bytes(12)),
        address(index=LOOPBACK),
        address(DELADDR, LOOPBACK),
        route(flags=CLONED),
        route(DELROUTE, flags=CLONED),
        route(route_type=LOCAL),
        route(DELROUTE, MULTICAST),
    ],
)
def test_what_can_not_concern_a_connection_is_nothing(data: bytes) -> None:
    assert read(data) == NOTHING
    assert read(data, link(0), data) == WENT


def test_a_link_told_again_as_it_was_is_nothing() -> None:
    reader = EventReader()
    assert reader.read(link(UP)) == EVERYTHING
    assert reader.read(link(UP) + link(UP | IFF_PROMISC)) == NOTHING
    assert reader.read(link(IFF_UP)) == WENT
    assert reader.read(link(IFF_UP)) == NOTHING
    assert reader.read(link(UP)) == EVERYTHING


def test_each_link_is_remembered_by_itself_and_no_longer_than_it_lives() -> None:
    reader = EventReader()
    assert reader.read(link(UP)) == EVERYTHING
    assert reader.read(link(UP, index=3)) == EVERYTHING
    assert reader.read(link(UP)) == NOTHING
    assert reader.read(link(0, DELLINK)) == WENT
    assert reader.read(link(UP)) == EVERYTHING
    assert reader.read(link(UP, index=3)) == NOTHING


@pytest.mark.parametrize(("whole", "fixed_bytes"), [(link(UP), 16), (address(), 8), (route(), 12)])
def test_a_message_that_is_cut_short_is_read_as_far_as_it_goes(whole: bytes, fixed_bytes: int) -> None:
    for size in range(len(whole) + 1):
        assert read(whole[:size]) == (NOTHING if size < 16 + fixed_bytes else EVERYTHING)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_to_an_end(data: bytes) -> None:
    assert isinstance(read(data), Events)
    assert read(struct.pack("=IHHII", 0, 3, 0, 0, 0), data) == NOTHING


@pytest.mark.usefixtures("own_network")  # in another one cables come and go
def test_the_kernels_socket_is_there_and_has_nothing_to_say() -> None:
    watch = NetworkWatch()
    assert watch.fileno() >= 0
    watch.take()
    assert watch.take() == NOTHING
    watch.close()
    watch.close()
    assert watch.fileno() == -1
    assert watch.take() == NOTHING


def test_where_the_kernel_gives_no_socket_there_are_no_events(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> socket.socket:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(socket, "socket", refuse)
    watch = NetworkWatch()
    assert watch.fileno() == -1
    assert watch.take() == NOTHING
