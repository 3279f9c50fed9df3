"""The first of a name's addresses that answers, against real ones that answer, refuse and hang."""

from __future__ import annotations

import contextlib
import socket
import time

import pytest

from ingestd.core.times import DEFAULT, Times
from ingestd.errors import ChannelError
from ingestd.net import stream
from ingestd.net.cancel import Cancel
from ingestd.net.connect import connect
from ingestd.net.resolve import resolve
from tests.rig.proxy import FaultProxy
from tests.unit.addresses import Where, deaf, listening, named, needs_ipv6, refusing
from tests.unit.descriptors import left_open, open_descriptors
from tests.unit.peers import GUARD_S, Task

pytestmark = needs_ipv6
SHORT = Times(connect_rounds_s=(0.2, 0.4))
PATIENT = Times(connect_rounds_s=(3 * GUARD_S,))
"""Whoever hangs, hangs for longer than a test does."""
NOWHERE = (("100::1", 9), ("100::2", 9))
"""The discard prefix (RFC 6666)."""


def connect_to(host: str, port: int, times: Times = DEFAULT, within_s: float = GUARD_S) -> socket.socket:
    cancel = Cancel()
    found = resolve(host, port, cancel, time.monotonic() + GUARD_S, times)
    return connect(host, port, found, cancel, time.monotonic() + within_s, times)


def connected(times: Times = DEFAULT) -> Where:
    """Where a connection to the name led. The deadline is behind that of the test."""
    with connect_to("many.example", 443, times, 2 * GUARD_S) as sock:
        address, port = sock.getpeername()[:2]
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), "not prepared for a call"
    return address, port


def failed(times: Times = SHORT, within_s: float = GUARD_S) -> str:
    with pytest.raises(ChannelError) as raised:
        connect_to("many.example", 443, times, within_s)
    return str(raised.value)


def test_ipv6_goes_first_where_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening("127.0.0.1") as (four, _), listening("::1") as (six, _):
        named(monkeypatch, four, six)
        assert connected() == six


def test_an_ipv6_that_hangs_costs_less_than_two_seconds_before_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening("127.0.0.1") as (four, _), deaf("::1") as hole:
        named(monkeypatch, hole, four)
        assert connected(PATIENT) == four
        named(monkeypatch, *NOWHERE, hole, four)
        assert connected(PATIENT) == four
    # IPv4 is the second to be asked, and what was asked first is not waited for.
    assert DEFAULT.stagger_s < 2.0


def test_an_address_that_refuses_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    calm = Times(stagger_s=GUARD_S)
    with listening("127.0.0.1") as (four, _):
        named(monkeypatch, refusing("::1"), four)
        assert connected(calm) == four
        named(monkeypatch, refusing("127.0.0.1"), refusing("127.0.0.2"), four)
        assert connected(calm) == four


def test_a_family_that_the_kernel_has_not_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket

    def without_ipv6(family: int = -1, *args: int, **more: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(97, "Address family not supported by protocol")
        return real(family, *args, **more)

    with listening("127.0.0.1") as (four, _):
        named(monkeypatch, ("2001:db8::1", 443), four)
        monkeypatch.setattr(socket, "socket", without_ipv6)
        assert connected(Times(stagger_s=GUARD_S)) == four


def test_the_families_take_turns(asked: list[socket.socket], monkeypatch: pytest.MonkeyPatch) -> None:
    """With many broken addresses of one family the other's turn is still the second."""
    with listening("127.0.0.1") as (four, _), contextlib.ExitStack() as holes:
        named(monkeypatch, *(holes.enter_context(deaf("::1")) for _ in range(6)), four)
        assert connected(PATIENT) == four
        assert len(asked) == 2


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[socket.socket]:
    """The sockets that were made, whatever became of them."""
    made: list[socket.socket] = []
    real = stream.prepare

    def prepare(sock: socket.socket) -> None:
        made.append(sock)
        real(sock)

    monkeypatch.setattr(stream, "prepare", prepare)
    return made


def test_all_connects_but_the_first_are_given_up(asked: list[socket.socket], monkeypatch: pytest.MonkeyPatch) -> None:
    with listening("127.0.0.1") as (four, _), deaf("::1") as hole, deaf("::1") as other:
        named(monkeypatch, hole, other, four)
        before = open_descriptors()
        with connect_to("many.example", 443, PATIENT):
            assert len(left_open(before)) == 1
        assert len(asked) > 1  # kept here, so that none goes away by itself
        assert not left_open(before)


def test_who_hangs_is_asked_by_a_fresh_syn_each_round(
    asked: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    with deaf("127.0.0.1") as hole, deaf("::1") as other:
        named(monkeypatch, hole, other)
        assert "timed out" in failed(Times(connect_rounds_s=(0.1, 0.1, 0.1), stagger_s=0.0))
    assert [sock.family for sock in asked].count(socket.AF_INET) == 3
    assert [sock.family for sock in asked].count(socket.AF_INET6) == 3


def test_an_answer_that_takes_long_is_waited_for_in_a_later_round(monkeypatch: pytest.MonkeyPatch) -> None:
    # Somebody listens behind it: the RST of a proxy that finds nobody can come before the first look at the connection.
    with listening("127.0.0.1") as (behind, _), FaultProxy(behind[1]) as late:
        late.black_hole()
        named(monkeypatch, ("127.0.0.1", late.port))
        times = Times(connect_rounds_s=(0.1, GUARD_S))
        task = Task(lambda: connected(times))
        time.sleep(0.3)  # into the second round
        late.restore()
        assert task.result() == ("127.0.0.1", late.port)


def test_only_who_hangs_is_asked_again(asked: list[socket.socket], monkeypatch: pytest.MonkeyPatch) -> None:
    with deaf("127.0.0.1") as hole:
        named(monkeypatch, refusing("::1"), hole)
        tried = "127.0.0.1 (timed out), ::1 (Connection refused)"
        assert failed() == f"can't connect to many.example:443: tried {tried}; check the network"
        assert [sock.family for sock in asked].count(socket.AF_INET6) == 1
    asked.clear()
    named(monkeypatch, refusing("::1"), refusing("127.0.0.1"))
    assert "timed out" not in failed()
    assert len(asked) == 2


def test_a_fault_reads_the_same_in_whatever_order_the_addresses_come(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = refusing("127.0.0.1"), refusing("127.0.0.2")
    named(monkeypatch, one, other)
    first = failed()
    named(monkeypatch, other, one)
    assert failed() == first


def test_the_deadline_holds_over_all_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    with deaf("127.0.0.1") as hole, deaf("::1") as other:
        named(monkeypatch, hole, other)
        task = Task(lambda: failed(PATIENT, within_s=0.3))
        assert "timed out" in task.result()


def test_an_address_instead_of_a_name_is_not_named_twice() -> None:
    address, port = refusing("127.0.0.1")
    with pytest.raises(ChannelError) as raised:
        connect_to(address, port)
    assert str(raised.value) == f"can't connect to {address}:{port}: Connection refused; check the network"
