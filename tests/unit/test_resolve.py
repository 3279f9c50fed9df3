"""Names within a deadline, whatever the resolver does."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from ingestd.core.times import Times
from ingestd.errors import ChannelClosed, ChannelError
from ingestd.net import resolve as module
from ingestd.net.cancel import Cancel
from ingestd.net.resolve import resolve
from tests.rig.process import wait_until
from tests.unit.peers import GUARD_S

SHORT = Times(dns_s=0.05)


def looking() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "resolve"]


@pytest.fixture(autouse=True)
def _alone() -> None:
    """What earlier tests gave up has ended: it would count among those that are under way."""
    wait_until(lambda: not looking(), 3 * GUARD_S, "the look-ups of others to end")


def failed(host: str, times: Times = SHORT, within_s: float = GUARD_S) -> str:
    with pytest.raises(ChannelError) as raised:
        resolve(host, 443, Cancel(), time.monotonic() + within_s, times)
    return str(raised.value)


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Look-ups of names hang until the event is set, and at the latest until the test is over."""
    over = threading.Event()
    real = socket.getaddrinfo

    def hang(host: bytes, port: int, **options: int) -> object:
        if host.endswith(b".example"):
            over.wait(GUARD_S)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return real(host, port, **options)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    yield over
    over.set()
    wait_until(lambda: not looking(), GUARD_S, "the look-ups to end")


def test_a_name_has_its_addresses() -> None:
    found = resolve("localhost", 443, Cancel(), time.monotonic() + GUARD_S)
    assert (socket.AF_INET, ("127.0.0.1", 443)) in found
    wait_until(lambda: not looking(), GUARD_S, "the look-up to end")


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 64 + ".example", "a..b"])
def test_a_name_without_any_is_told(host: str) -> None:
    assert f"can't resolve {host}: " in failed(host, Times())


@pytest.mark.usefixtures("stuck")
def test_a_look_up_that_hangs_is_given_up() -> None:
    assert failed("stuck.example") == ("can't resolve stuck.example: no answer within 0 s; check the network and DNS")
    assert "no answer" in failed("stuck.example", Times(), within_s=0.05)


def test_no_more_than_so_many_look_ups_hang_at_once(stuck: threading.Event) -> None:
    for _ in range(module._MOST_UNDER_WAY):
        assert "no answer" in failed("stuck.example")
    assert len(looking()) == module._MOST_UNDER_WAY
    assert failed("stuck.example") == (
        "can't resolve stuck.example: 8 look-ups of names are stuck already; check DNS (/etc/resolv.conf)"
    )
    assert len(looking()) == module._MOST_UNDER_WAY
    stuck.set()
    wait_until(lambda: not looking(), GUARD_S, "the look-ups to end")
    assert resolve("localhost", 443, Cancel(), time.monotonic() + GUARD_S)


def test_an_address_needs_no_look_up_that_could_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "Thread", None)
    for host in ("127.0.0.1", "::1"):
        ((_family, where),) = resolve(host, 443, Cancel(), time.monotonic() + GUARD_S)
        assert where[:2] == (host, 443)


@pytest.mark.parametrize("host", ["fe80::1%nosuch0", "ff02::1%nosuch0"])
def test_an_address_that_cannot_be_used_is_no_fault_of_dns(host: str) -> None:
    told = failed(host, Times())
    assert told.startswith(f"can't use the address {host}: ")
    assert told.endswith("; check it and the network")


def test_an_address_is_asked_of_no_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    real = socket.getaddrinfo

    def noting(*where: object, flags: int = 0, **options: int) -> object:
        asked.append(flags)
        return real(*where, flags=flags, **options)  # type: ignore[arg-type, misc] # as it was asked

    monkeypatch.setattr(socket, "getaddrinfo", noting)
    resolve("127.0.0.1", 443, Cancel(), time.monotonic() + GUARD_S)
    assert asked == [socket.AI_NUMERICHOST]


@pytest.mark.usefixtures("stuck")
def test_what_was_cancelled_is_not_looked_up() -> None:
    cancel = Cancel()
    cancel.cancel()
    with pytest.raises(ChannelClosed):
        resolve("stuck.example", 443, cancel, time.monotonic() + GUARD_S)
    assert looking() == []
