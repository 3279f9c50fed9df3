"""A device whose way to the server can be taken from it piece by piece: the link, its address, its default route.

The server listens on an address of the far side that belongs to no cable, so that it is reached by the route alone.
"""

from __future__ import annotations

from tests.rig import netns
from tests.rig.netns import Namespace


class RoutedNamespace(Namespace):
    """`netns.Namespace` with a default route. What a link takes along when it goes comes back as by a DHCP client."""

    @property
    def service_address(self) -> str:
        """The far side's address that the route leads to."""
        return netns.service_addresses(self.number)[0]

    def _make(self) -> None:
        super()._make()
        netns.ip("address", "replace", self.service_address, "dev", "lo")
        self.give_route()

    def give_link(self) -> None:
        """The cable is in again, and the route with it."""
        self.link_up("device")
        self.give_route()

    def take_address(self) -> None:
        """The address is gone, and every route that needs it."""
        self.ip("address", "delete", f"{self.address}/30", "dev", "eth0")

    def give_address(self) -> None:
        """Both are back."""
        self.ip("address", "replace", f"{self.address}/30", "dev", "eth0")
        self.give_route()

    def take_route(self) -> None:
        """The address stays."""
        self.ip("route", "delete", "default")

    def give_route(self) -> None:
        """The way to everything leads over the cable."""
        self.ip("route", "replace", "default", "via", self.far_address, "dev", "eth0")
