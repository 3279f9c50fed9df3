"""What the kernel tells of the network."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.net.network_watch import NetworkWatch, any_came_back

NEWLINK, DELLINK, NEWADDR, DELADDR, NEWROUTE, DELROUTE = 16, 17, 20, 21, 24, 25
IFF_UP, IFF_LOWER_UP = 0x1, 0x10000


def message(kind: int, body: bytes = bytes(16)) -> bytes:
    """One netlink message, padded as the kernel does."""
    size = 16 + len(body)
    return struct.pack("=IHHII", size, kind, 0, 0, 0) + body + bytes(-size % 4)


def link(flags: int, kind: int = NEWLINK) -> bytes:
    return message(kind, struct.pack("=BxHiII", 0, 1, 2, flags, 0))


@pytest.mark.parametrize("data", [link(IFF_UP | IFF_LOWER_UP), message(NEWADDR), message(NEWROUTE)])
def test_a_link_that_is_up_an_address_and_a_route_are_a_return(data: bytes) -> None:
    assert any_came_back(data)
    assert any_came_back(message(DELROUTE, b"abc") + link(IFF_UP) + data)


@pytest.mark.parametrize(
    "data", [b"", link(IFF_UP), link(0), link(IFF_LOWER_UP, DELLINK), message(DELADDR), message(DELROUTE), message(3)]
)
def test_what_goes_away_is_none(data: bytes) -> None:
    assert not any_came_back(data)
    assert not any_came_back(data + data)


def test_a_message_that_is_cut_short_is_read_as_far_as_it_goes() -> None:
    whole = link(IFF_LOWER_UP)
    for size in range(len(whole)):
        assert not any_came_back(whole[:size])


@given(st.binary(max_size=200))
def test_any_bytes_are_read_to_an_end(data: bytes) -> None:
    assert any_came_back(data) in (True, False)
    assert any_came_back(struct.pack("=IHHII", 0, 3, 0, 0, 0) + data) is False


def test_the_kernels_socket_is_there_and_has_nothing_to_say() -> None:
    watch = NetworkWatch()
    assert watch.fileno() >= 0
    assert watch.came_back() in (True, False)
    assert watch.came_back() is False
    watch.close()
    watch.close()
    assert watch.fileno() == -1
    assert watch.came_back() is False
