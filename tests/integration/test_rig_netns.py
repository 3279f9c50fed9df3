"""A pulled cable loses packets, and nothing of a namespace stays behind."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig import netns
from tests.rig.netns import Apart, Namespace
from tests.rig.process import end, spawn, wait_until
from tests.rig.two_cables import TwoCables

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("own_network")]

ECHO_LINES = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as link:
    while data := link.recv(100):
        link.sendall(data)
"""

ENTER_AND_DIE = """
import os
from tests.rig.netns import Apart, Namespace
namespace = Namespace().__enter__()
print(namespace.name, flush=True)
os._exit(9)
"""
ROOT = Path(__file__).parents[2]


@pytest.fixture
def device() -> Iterator[Namespace]:
    if reason := netns.why_not():
        pytest.skip(reason)
    with Namespace() as namespace:
        yield namespace


@pytest.fixture
def call(device: Namespace) -> Iterator[socket.socket]:
    """A connection from inside, whose far end sends all back."""
    with socket.create_server((device.far_address, 0)) as service:
        service.settimeout(20)
        where = [device.far_address, str(service.getsockname()[1])]
        process = device.spawn([sys.executable, "-c", ECHO_LINES, *where])
        try:
            link, peer = service.accept()
            assert peer[0] == device.address
            link.settimeout(20)
            with link:
                yield link
        finally:
            end(process)


@pytest.mark.parametrize("side", ["far", "device"])
def test_a_pulled_cable_loses_packets_and_a_mended_one_brings_them(
    device: Namespace, call: socket.socket, side: netns.End
) -> None:
    call.sendall(b"before")
    assert call.recv(100) == b"before"
    device.link_down(side)
    call.sendall(b"while")
    call.settimeout(0.5)
    with pytest.raises(TimeoutError):
        call.recv(100)
    device.link_up(side)
    call.settimeout(20)
    assert call.recv(100) == b"while"


def test_two_have_addresses_of_their_own(device: Namespace) -> None:
    with Namespace() as other:
        assert {other.address, other.far_address}.isdisjoint({device.address, device.far_address})
        assert other.address in other.run(["ip", "address"]).stdout


@pytest.mark.parametrize("kind", [Namespace, Apart])
def test_no_two_have_the_same_number_and_none_takes_another_ones_cable_along(
    device: Namespace, monkeypatch: pytest.MonkeyPatch, kind: type[Namespace]
) -> None:
    taken, elsewhere = device.number, (device.number + 1) % (1 << 14)
    further = [(device.number + more) % (1 << 14) for more in range(2, 100)]  # the first may be another worker's
    draws = iter([taken, elsewhere, *further])
    monkeypatch.setattr(netns, "drawn", draws.__next__)
    netns.ip("netns", "add", f"ingrig-1-{elsewhere}")  # as another process names its own
    try:
        with kind() as other:
            assert other.number in further
    finally:
        netns.ip("netns", "delete", f"ingrig-1-{elsewhere}")
    assert has_cable(device)


@pytest.mark.parametrize("cable", ["eth0", "wwan0"])
def test_two_cables_lead_to_one_server(cable: netns.Cable) -> None:
    if reason := netns.why_not():
        pytest.skip(reason)
    with TwoCables() as device:
        assert seen_from(device) == device.address_on("eth0")
        device.set_metric("eth0", 900)
        assert seen_from(device) == device.address_on("wwan0")
        device.set_metric("eth0", 100)
        device.link_down("device", cable)
        assert seen_from(device) == device.address_on("wwan0" if cable == "eth0" else "eth0")
        device.link_up("device", cable)
        assert seen_from(device) == device.address_on("eth0")
        device.withdraw("eth0")
        assert seen_from(device) == device.address_on("wwan0")
        assert device.service_address in local_addresses()
    assert device.service_address not in local_addresses()
    assert device.service_address6 not in local_addresses()


def test_the_far_side_lets_nothing_through_that_comes_by_the_wrong_cable() -> None:
    if reason := netns.why_not():
        pytest.skip(reason)
    with TwoCables() as device, socket.create_server((device.service_address, 0)) as service:
        with device.entered():
            link = socket.create_connection(service.getsockname(), timeout=20)
        near, _ = service.accept()
        with link, near:
            device.set_metric("eth0", 900)
            link.sendall(b"from Ethernet's address, by the other cable")
            near.settimeout(0.5)
            with pytest.raises(TimeoutError):
                near.recv(100)


def seen_from(device: TwoCables) -> str:
    """The address by which a new connection of the device comes."""
    with socket.create_server((device.service_address, 0)) as service:
        with device.entered():
            link = socket.create_connection(service.getsockname(), timeout=20)
        near, peer = service.accept()
        near.close()
        link.close()
    return str(peer[0])


def local_addresses() -> str:
    return subprocess.run(["ip", "address", "show", "dev", "lo"], capture_output=True, text=True, check=True).stdout


def test_leaving_ends_what_runs_in_it() -> None:
    if reason := netns.why_not():
        pytest.skip(reason)
    with Namespace() as namespace:
        process = namespace.spawn(["sleep", "1000"])
        wait_until(lambda: namespace.name in here(), 20, "the namespace")
        wait_until(lambda: str(process.pid) in pids(namespace), 20, "the process inside")
    assert process.wait(20) == -signal.SIGKILL
    assert namespace.name not in here()
    assert not has_cable(namespace)


def test_what_a_killed_run_left_is_removed_by_the_next(device: Namespace) -> None:
    killed = spawn([sys.executable, "-c", ENTER_AND_DIE], cwd=ROOT, stdout=subprocess.PIPE)
    assert killed.stdout is not None
    left = killed.stdout.read().decode().strip()
    assert left
    assert left in here(), "until its end is taken note of it counts as running, for neighbours that tidy up too"
    assert end(killed) == 9
    netns.remove_stale()
    assert left not in here()
    assert device.name in here()


def has_cable(namespace: Namespace) -> bool:
    return netns.ip("link", "show", namespace.far_end, check=False).returncode == 0


def pids(namespace: Namespace) -> list[str]:
    return subprocess.run(["ip", "netns", "pids", namespace.name], capture_output=True, text=True).stdout.split()


def here() -> str:
    return subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
