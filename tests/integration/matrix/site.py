"""A device's service and the doors through which it is reached, with all that can be wrong with each of them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.integration.matrix import resolver
from tests.integration.matrix.device import WatchedDevice
from tests.integration.matrix.resolver import Resolver
from tests.rig.free_port import free_port
from tests.rig.memory_device import device_config
from tests.rig.process import wait_until
from tests.rig.proxy import FaultProxy
from tests.standin.client import StandIn

API = "api.test"
ROOM = "room.test"
"""What the doors are called, where a name server of ours can be had."""

QUICK: Mapping[str, Any] = {
    "backoff_base_s": 0.1,
    "backoff_cap_s": 0.4,
    "person_least_s": 60.0,
    "person_most_s": 120.0,
    "rejoin_s": 0.4,
    "rejoin_most_s": 0.8,
    "good_after_s": 0.2,
    "hurry_every_s": 0.2,
    "reconnect_every_s": 0.05,
    "attempt_s": 8.0,
    "dns_s": 3.0,
    "connect_rounds_s": [0.5, 0.5],
    "tls_s": 3.0,
    "upgrade_s": 3.0,
    "answer_s": 3.0,
    "ping_every_s": 0.5,
    "pong_within_s": 3.0,
    "silent_for_s": 4.0,
    "held_s": 3.0,
    "overlap_s": 2.0,
}
"""Policy times that let a whole life happen in seconds; a person's job stays slow, so that a heal shows.

The 3.0 s leave room for a service that was late: what is given up for that would be one session more than the policy's.
A look-up is given up before the name server's client does (4 s), a link that says nothing by its pings.
"""


class Site:
    """The service, three doors and a name server. Use as a context manager, from one thread.

    The session request goes through `api`. Connections to the room go through one of two doors, so that what
    strikes the next connection spares the present one: `door` has the present one, `next_door` gets the next.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._stack = ExitStack()
        self._devices: list[WatchedDevice] = []
        self._led = 0
        self._api_is_elsewhere = False
        self.no_names = resolver.why_not()
        """Why names can't be made to fail here; None where they can."""
        self.resolver: Resolver | None = None

    def __enter__(self) -> Self:
        try:
            self._set_up()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.api.close()
        self._stack.close()

    def _set_up(self) -> None:
        if self.no_names is None:
            self.resolver = Resolver(self.directory)
            self._stack.callback(self.resolver.close)
        self.room = self._stack.enter_context(StandIn(tls=True, tls_names=[API, ROOM], close_wait_s=0.5))
        # At ports that the kernel gives to nobody while they are shut, as where one is refused or leads elsewhere.
        self.api = FaultProxy(self.room.port, port=free_port())
        self._doors = [self._stack.enter_context(FaultProxy(self.room.port, port=free_port())) for _ in range(2)]
        self._usual = self.room.settings()
        self.tokens = [self.room.token]
        self.mend()
        self.config = self._device_config()

    def _device_config(self) -> dict[str, Any]:
        assert self.room.ca_file is not None
        assert self.expired.ca_file is not None
        bundle = self.directory / "ca.pem"
        bundle.write_text(self.room.ca_file.read_text() + self.expired.ca_file.read_text())
        base_url = f"https://{API if self.resolver else '127.0.0.1'}:{self.api.port}"
        return device_config(base_url, self.room.token, bundle, self.directory)

    @functools.cached_property
    def untrusted(self) -> StandIn:
        """A service with a certificate of a CA that the device does not know."""
        return self._stack.enter_context(StandIn(tls=True, tls_names=[API, ROOM]))

    @functools.cached_property
    def expired(self) -> StandIn:
        """A service with a certificate of a CA that the device knows, but past its end."""
        return self._stack.enter_context(StandIn(tls=True, tls_expired=True, tls_names=[API, ROOM]))

    # --- the device

    def device(self, times: Mapping[str, Any] | None = QUICK, **session: Any) -> WatchedDevice:
        """A device of this site; who calls ends it."""
        config = {**self.config, "session": {**self.config["session"], **session}}
        prefix = self.resolver.command() if self.resolver else ()
        device = WatchedDevice(self.directory / f"device{len(self._devices)}", config, times, prefix)
        self._devices.append(device)
        return device

    def end_devices(self) -> None:
        """Ends those that nobody ended: a case that failed leaves none, which would be the next one's twin."""
        for device in self._devices:
            device.kill()

    @property
    def token_file(self) -> Path:
        """Where the device reads its token."""
        return self.directory / "token"

    def write_token(self, token: str) -> None:
        """Gives the device another token, as a person or a provisioning tool would."""
        self.tokens.append(token)
        self.token_file.write_text(token)
        self.token_file.chmod(0o600)

    def another_token(self, *, expired: bool = False) -> str:
        """A token that it has not seen yet."""
        lives_s = -60.0 if expired else 86400.0 + len(self.tokens)
        return self.room.mint_token(expires_in_s=lives_s)

    # --- where things lead

    @property
    def door(self) -> FaultProxy:
        """The one that the present connection goes through."""
        return self._doors[1 - self._led]

    @property
    def next_door(self) -> FaultProxy:
        """The one that the next connection will go through."""
        return self._doors[self._led]

    def turn(self) -> None:
        """The next connection goes through the door that the present one does not use."""

        def one_is_free() -> list[int]:
            return [number for number, door in enumerate(self._doors) if not door.stats().active]

        free = wait_until(one_is_free, 20, "a door that nobody uses")
        self._led = free[0]
        self._lead()

    def empty_doors(self) -> None:
        """Ends whatever goes through them."""
        for proxy in (self.api, *self._doors):
            proxy.reset()

    def _lead(self) -> None:
        host = ROOM if self.resolver else "127.0.0.1"
        self.room.configure(public_base=f"wss://{host}:{self.next_door.port}")

    def api_leads_to(self, service: StandIn) -> None:
        """Session requests reach another service from now on."""
        self._api_is_elsewhere = service is not self.room
        port = self.api.port
        self.api.close()
        self.api = FaultProxy(service.port, port=port)

    def room_is_at(self, service: StandIn) -> None:
        """The next connections are made to another service."""
        host = ROOM if self.resolver else "127.0.0.1"
        self.room.configure(public_base=f"wss://{host}:{service.port}")

    def mend(self) -> None:
        """Undoes everything that was done to the service, the doors and the name server; not to the token."""
        if self.resolver is not None:
            self.resolver.restore()
        self.room.clear_faults()
        self.room.configure(**{name: value for name, value in self._usual.items() if name != "public_base"})
        self._lead()
        if self._api_is_elsewhere:
            self.api_leads_to(self.room)
        for proxy in (self.api, *self._doors):
            proxy.restore()

    # --- what the service saw

    @property
    def current_call(self) -> str:
        """The session of the connection that joined last and is open."""
        open_now = self.room.state()["open_connections"]
        found = [info for info in self.room.connections() if info.index in open_now and info.joined_s is not None]
        assert found, "no connection is open"
        call_id = max(found, key=lambda info: info.joined_s or 0.0).call_id
        assert call_id is not None
        return call_id
