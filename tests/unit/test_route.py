"""The kernel's answer, read; and loopback, where the way never changes. Changes need cables: tests/integration."""

from __future__ import annotations

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.net.route import Peer, Route, UsedRoute, read_answer, route_to

NEWROUTE, ERROR = 24, 2
UNICAST, BLACKHOLE = 1, 6
OIF, PREFSRC, CACHEINFO = 4, 7, 12
SOURCE = b"\x0a\0\0\x01"


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def answer(*attributes: bytes, kind: int = NEWROUTE, route_type: int = UNICAST) -> bytes:
    body = struct.pack("=BBBBBBBBI", socket.AF_INET, 32, 0, 0, 254, 0, 0, route_type, 0) + b"".join(attributes)
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 1, 0) + body


WHOLE = (attribute(CACHEINFO, b"odd size!"), attribute(OIF, struct.pack("=I", 3)), attribute(PREFSRC, SOURCE))


def test_an_answer_is_read() -> None:
    assert read_answer(answer(*WHOLE)) == Route(SOURCE, 3)
    assert read_answer(answer(*WHOLE) + b"what follows does not count") == Route(SOURCE, 3)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        answer(*WHOLE, kind=ERROR),
        answer(*WHOLE, route_type=BLACKHOLE),
        answer(WHOLE[1]),
        answer(WHOLE[2]),
        answer(attribute(OIF, b"\1"), WHOLE[2]),
        answer(struct.pack("=HH", 0, OIF), *WHOLE),
    ],
)
def test_an_answer_without_a_way_is_none(data: bytes) -> None:
    assert read_answer(data) is None


def test_an_answer_that_is_cut_short_is_none() -> None:
    whole = answer(*WHOLE)
    assert [read_answer(whole[:size]) for size in range(len(whole))] == [None] * len(whole)


@given(st.binary(max_size=100))
def test_any_bytes_are_read_to_an_end(data: bytes) -> None:
    assert read_answer(data) is None, "no header that fits"
    assert read_answer(answer(*WHOLE, data)) is not None, "the first attributes stand"


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_the_kernel_answers(family: socket.AddressFamily, address: str) -> None:
    packed = socket.inet_pton(family, address)
    assert route_to(Peer(family, packed, 0)) == Route(packed, socket.if_nametoindex("lo"))


def test_where_it_may_not_be_asked_there_is_no_way_to_be_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> socket.socket:
        raise PermissionError(1, "Operation not permitted")

    near, far = socket.socketpair()
    with near, far, monkeypatch.context() as sandbox:
        sandbox.setattr(socket, "socket", refuse)
        assert route_to(Peer(socket.AF_INET, socket.inet_aton("127.0.0.1"), 0)) is None


def test_a_socket_that_is_not_connected_never_changes_its_way() -> None:
    with socket.socket() as sock:
        assert not UsedRoute(sock).changed()
    assert not UsedRoute(sock).changed(), "nor a closed one"
