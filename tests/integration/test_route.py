"""A change of route, told and recognised: real kernel, two cables, real connections."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from ingestd.net.network_watch import EVERYTHING, NOTHING, Events, NetworkWatch
from ingestd.net.stream import Stream
from tests.rig import netns
from tests.rig.two_cables import TwoCables

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("own_network")]

FLOOD = """
for verb in add delete; do
    for number in $(seq 0 1999); do
        echo address $verb 10.240.$((number / 250)).$((number % 250))/32 dev lo
    done
done | ip -batch -
"""


class Site(NamedTuple):
    device: TwoCables
    watch: NetworkWatch
    service: socket.socket
    family: int

    def call(self) -> Stream:
        """A connection from the device to the far side's service."""
        with self.device.entered():
            return Stream(socket.create_connection(self.service.getsockname()[:2], timeout=20))

    def changed(self, link: Stream) -> bool:
        """What the daemon would say there."""
        with self.device.entered():
            return link.route_changed()

    def heard(self) -> Events:
        """What has happened until now; at least one event is waited for."""
        assert select.select([self.watch], [], [], 20)[0], "no event came"
        return self.watch.take()

    def source_of(self, link: Stream) -> str:
        """The address that the far side sees."""
        accepted, peer = self.service.accept()
        accepted.close()
        assert link.fileno() >= 0
        return str(peer[0])


@pytest.fixture
def device() -> Iterator[TwoCables]:
    if reason := netns.why_not():
        pytest.skip(reason)
    with TwoCables() as made:
        yield made


@pytest.fixture(params=[4, 6])
def site(request: pytest.FixtureRequest, device: TwoCables) -> Iterator[Site]:
    """A device whose Ethernet comes first."""
    family: int = request.param
    with device.entered():
        watch = NetworkWatch()
    where = (device.service_address, 0) if family == 4 else (device.service_address6, 0)
    with socket.create_server(where, family=socket.AF_INET if family == 4 else socket.AF_INET6) as service:
        service.settimeout(20)
        yield Site(device, watch, service, family)
    watch.close()


@pytest.fixture
def link(site: Site) -> Iterator[Stream]:
    made = site.call()
    assert site.source_of(made) == site.device.address_on("eth0", site.family)
    while select.select([site.watch], [], [], 0.1)[0]:  # on a busy machine the kernel tells late of the cables' laying
        site.watch.take()
    yield made
    made.close()


def test_nothing_happened(site: Site, link: Stream) -> None:
    assert not site.changed(link)
    assert site.watch.take() == NOTHING


def test_ethernet_pulled_at_the_device_and_put_in_again(site: Site, link: Stream) -> None:
    site.device.link_down("device", "eth0")
    assert site.heard().changed
    assert site.changed(link)
    site.device.link_up("device", "eth0")
    assert site.heard() == EVERYTHING
    assert not site.changed(link)


def test_a_lost_carrier_is_told_and_the_way_changes_when_its_route_is_withdrawn(site: Site, link: Stream) -> None:
    site.device.link_down("far", "eth0")
    assert site.heard() == Events(changed=True)
    assert not site.changed(link), "the kernel goes on sending there"
    site.device.withdraw("eth0")
    assert site.heard() == Events(changed=True)
    assert site.changed(link)
    site.device.link_up("far", "eth0")
    assert site.heard() == EVERYTHING
    assert site.changed(link), "the carrier is back, the route is not"
    site.device.restore("eth0")
    assert not site.changed(link)


def test_the_other_way_becomes_the_better_one(site: Site, link: Stream) -> None:
    site.device.set_metric("eth0", 900)
    assert site.heard() == EVERYTHING
    assert site.changed(link)
    fresh = site.call()
    assert site.source_of(fresh) == site.device.address_on("wwan0", site.family)
    assert not site.changed(fresh)
    site.device.set_metric("eth0", 100)
    assert site.changed(fresh)
    assert not site.changed(link)
    fresh.close()


def test_the_other_way_goes_and_comes(site: Site, link: Stream) -> None:
    site.device.link_down("device", "wwan0")
    assert site.heard().changed
    assert not site.changed(link)
    site.device.link_up("device", "wwan0")
    assert site.heard() == EVERYTHING
    assert not site.changed(link)


def test_there_is_no_other_way(site: Site) -> None:
    site.device.link_down("device", "wwan0")
    link = site.call()
    site.device.link_down("device", "eth0")
    assert site.heard().changed
    assert not site.changed(link)
    site.device.link_up("device", "eth0")
    assert not site.changed(link)
    link.close()


def test_an_address_renewed_as_it_was(site: Site, link: Stream) -> None:
    whole = f"{site.device.address_on('eth0', site.family)}/{30 if site.family == 4 else 64}"
    site.device.ip("address", "replace", whole, "dev", "eth0", "valid_lft", "600", "preferred_lft", "600")
    assert site.heard() == EVERYTHING
    assert not site.changed(link)


def test_another_address_in_place_of_the_old(site: Site) -> None:
    site.device.link_down("device", "wwan0")
    link = site.call()
    family = f"-{site.family}"
    site.device.ip(family, "address", "flush", "dev", "eth0", "scope", "global")
    site.device.ip(family, "route", "flush", "dev", "eth0")
    assert not site.changed(link), "nothing leads there"
    address, *nodad = ["10.234.1.1/24"] if site.family == 4 else ["fd34::1/64", "nodad"]
    site.device.ip("address", "add", address, "dev", "eth0", *nodad)
    assert not site.changed(link), "nor by the new address, yet"
    site.device.ip(family, "route", "add", "default", "dev", "eth0")
    assert site.changed(link)
    link.close()


def test_an_interface_of_no_concern(site: Site, link: Stream) -> None:
    site.device.ip("link", "add", "other0", "type", "veth", "peer", "name", "other1")
    site.device.ip("link", "set", "other0", "up")
    site.device.ip("link", "set", "other1", "up")
    site.device.ip("address", "add", "10.235.0.1/24", "dev", "other0")
    assert site.heard() == EVERYTHING
    assert not site.changed(link)
    site.device.ip("link", "delete", "other0")
    assert not site.changed(link)


@pytest.fixture
def apart() -> Iterator[netns.Apart]:
    """Loopback and nothing else, so that no event can come of cables, however late the kernel tells of their laying."""
    if reason := netns.why_not():
        pytest.skip(reason)
    with netns.Apart() as made:
        yield made


def test_an_address_on_loopback_is_not_even_told(apart: netns.Apart) -> None:
    with apart.entered():
        watch = NetworkWatch()
    apart.ip("address", "add", "10.236.0.1/32", "dev", "lo")
    apart.ip("address", "delete", "10.236.0.1/32", "dev", "lo")
    assert watch.take() == NOTHING
    watch.close()


def test_a_fresh_interface_with_the_same_address(device: TwoCables) -> None:
    """Two modems that hand out the same address: the connection knows the other network's translation only."""
    same = "10.237.0.1"
    device.ip("address", "add", f"{same}/32", "dev", "lo")
    for cable, metric in (("eth0", "10"), ("wwan0", "20")):
        device.ip("route", "add", "10.238.0.0/24", "dev", cable, "src", same, "metric", metric)
    with device.entered():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)  # is “connected” without a peer that answers
        sock.connect(("10.238.0.9", 443))
        link = Stream(sock)
        assert sock.getsockname()[0] == same
        assert not link.route_changed()
        device.ip("route", "delete", "10.238.0.0/24", "dev", "eth0")
        assert link.route_changed()
        device.ip("route", "delete", "10.238.0.0/24", "dev", "wwan0")
        device.ip("route", "add", "blackhole", "10.238.0.0/24")
        assert not link.route_changed(), "nothing leads there"
        link.close()


def test_a_peer_on_the_cable_itself_by_its_link_local_address(device: TwoCables) -> None:
    with device.entered():
        link_local = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        link_local.connect(("fe80::1", 443, 0, socket.if_nametoindex("wwan0")))
        link = Stream(link_local)
        assert not link.route_changed(), "the other cable has a better route, but not to this peer"
        device.set_metric("eth0", 900)
        assert not link.route_changed()
        link.close()


def test_an_address_of_ipv4_in_an_ipv6_socket(device: TwoCables) -> None:
    with device.entered():
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        sock.connect((f"::ffff:{device.service_address}", 443))
        link = Stream(sock)
        assert not link.route_changed()
        device.set_metric("eth0", 900)
        assert link.route_changed()
        device.set_metric("eth0", 100)
        assert not link.route_changed()
        link.close()


def test_events_that_were_lost_count_as_everything(apart: netns.Apart) -> None:
    with apart.entered():
        watch = NetworkWatch()
    done = apart.run(["sh", "-c", FLOOD])
    assert done.returncode == 0, done.stderr
    assert watch.take() == EVERYTHING, "addresses on loopback alone are nothing"
    watch.take()
    assert watch.take() == NOTHING
    watch.close()
