"""A device with two ways to the same server: Ethernet, and mobile network beside it.

Both lead to the far side (this namespace), where a server listens on an address that belongs to neither cable. As on
a real device each way has a default route, and the one of least metric carries everything.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.rig import netns
from tests.rig.netns import Cable, End, Namespace
from tests.rig.process import wait_until

METRICS: Final[dict[Cable, int]] = {"eth0": 100, "wwan0": 600}
"""What they begin with."""


class TwoCables(Namespace):
    """`netns.Namespace` with a second cable, default routes over both, and IPv6."""

    cables = ("eth0", "wwan0")

    def __init__(self) -> None:
        """See `Namespace`."""
        super().__init__()
        self._metrics = dict(METRICS)

    @property
    def service_address(self) -> str:
        """The far side's address that is reached over either cable: IPv4."""
        return netns.service_addresses(self.number)[0]

    @property
    def service_address6(self) -> str:
        """The same, IPv6."""
        return netns.service_addresses(self.number)[1]

    def address_on(self, cable: Cable, family: int = 4) -> str:
        """The device's own address on that cable; `family` is 4 or 6."""
        return self._host(cable, 2) if family == 4 else self._host6(cable, 2)

    def _host6(self, cable: Cable, number: int) -> str:
        return f"fd31:{self.number:x}:{self.cables.index(cable) + 1}::{number}"

    def _make(self) -> None:
        super()._make()
        netns.ip("address", "replace", self.service_address, "dev", "lo")
        netns.ip("address", "replace", self.service_address6, "dev", "lo", "nodad")  # else it can't be used at once
        self.be_strict(True)
        # The kernel gives these a moment after the carrier: an event, and what is sent on the cable comes from them.
        wait_until(self._has_link_local, 20, "the cables' link-local addresses")

    def _has_link_local(self) -> bool:
        shown = [self.ip("-6", "address", "show", "dev", cable, "scope", "link") for cable in self.cables]
        return all("inet6 fe80:" in each.stdout for each in shown)

    def be_strict(self, strict: bool) -> None:
        """Whether the far side throws away what comes by the wrong cable, as providers do. True at first."""
        for cable in self.cables:
            setting = Path("/proc/sys/net/ipv4/conf", netns.far_end(self.name, cable), "rp_filter")
            setting.write_text(str(int(strict)))

    def _lay(self, cable: Cable) -> None:
        # Else an IPv6 address is in use only after a second, with another event.
        self._set("ipv6/conf/default/accept_dad", "0")
        # Else an old connection asks for the new way's gateway in the name of the old way's address, gets no answer
        # as the far side is strict, and the new connection waits for that same question.
        self._set("ipv4/conf/all/arp_announce", "2")
        super()._lay(cable)

    def link_up(self, end: End = "far", cable: Cable = "eth0") -> None:
        """Puts the cable in again; at the `device` end the default route comes back with it."""
        super().link_up(end, cable)
        # IPv6 forgets its addresses when a link goes down.
        netns.ip("address", "replace", f"{self._host6(cable, 1)}/64", "dev", netns.far_end(self.name, cable), "nodad")
        self.ip("address", "replace", f"{self._host6(cable, 2)}/64", "dev", cable, "nodad")
        if end == "device":
            self.restore(cable)

    def _set(self, name: str, value: str) -> None:
        self.run(["sh", "-c", f"echo {value} > /proc/sys/net/{name}"]).check_returncode()

    def withdraw(self, cable: Cable) -> None:
        """Takes the default routes over that cable away, as a DHCP client does some time after the carrier went."""
        for family, gateway in self._gateways(cable):
            self.ip(family, "route", "delete", "default", "via", gateway, "dev", cable)

    def restore(self, cable: Cable) -> None:
        """Puts the default routes over that cable in place."""
        for family, gateway in self._gateways(cable):
            metric = str(self._metrics[cable])
            self.ip(family, "route", "replace", "default", "via", gateway, "dev", cable, "metric", metric)

    def set_metric(self, cable: Cable, metric: int) -> None:
        """Moves the default routes over that cable to another metric; at no moment there are none."""
        old, self._metrics[cable] = self._metrics[cable], metric
        self.restore(cable)
        for family, gateway in self._gateways(cable):
            self.ip(family, "route", "delete", "default", "via", gateway, "dev", cable, "metric", str(old))

    def _gateways(self, cable: Cable) -> tuple[tuple[str, str], tuple[str, str]]:
        return ("-4", self._host(cable, 1)), ("-6", self._host6(cable, 1))
