"""What a soak happens in: the room, two proxies before it, and the device; where root allows, in its own network."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ingestd.control.client import ControlClient
from tests.rig import netns
from tests.rig.memory_device import MemoryDevice, device_config
from tests.rig.process import wait_until
from tests.rig.proxy import FaultProxy
from tests.rig.wav import tone
from tests.soak.plugs import Plugs
from tests.standin.client import StandIn

_KEPT_CALLS = 20
_JOIN_S = 20.0


@dataclass
class World:
    """Everything a fault may lay hands on."""

    room: StandIn
    backend: FaultProxy
    """The way to the session backend."""
    wire: FaultProxy
    """The way to the room."""
    device: MemoryDevice
    plugs: Plugs
    site: netns.Namespace | None
    """The device's network and its cable; None where that needs root."""
    token_file: Path
    tokens: list[str] = field(default_factory=list)
    """All that the token file ever held: none of them may be seen anywhere."""

    def write_token(self, token: str) -> None:
        """Puts another token in place as an administrator's tool does, never half of it."""
        self.tokens.append(token)
        fresh = self.token_file.with_suffix(".new")
        fresh.write_text(token)
        fresh.chmod(0o600)
        fresh.replace(self.token_file)

    def check_device(self) -> None:
        """Raises RuntimeError with its last words where the daemon is no more."""
        if (code := self.device.process.poll()) is not None:
            raise RuntimeError(f"the daemon ended with status {code}:\n{self.device.log[-2000:]}")

    def ask(self, method: str, **params: Any) -> Any:
        """Asks the daemon over its control socket."""
        with ControlClient(self.device.socket) as client:
            return client.call(method, **params)


@contextlib.contextmanager
def world(log_to: Path | None = None) -> Iterator[World]:
    """Starts all of it and waits until the device is in the room; `log_to` gets the daemon's log at the end."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="ingestd-soak-")))
        site = None if netns.why_not() else stack.enter_context(netns.Namespace())
        host = site.far_address if site else "127.0.0.1"
        room = stack.enter_context(StandIn(tls=True, tls_names=[host], quiet="silence", kept_calls=_KEPT_CALLS))
        backend, wire = (stack.enter_context(FaultProxy(room.port, host=host)) for _ in range(2))
        room.configure(public_base=f"wss://{host}:{wire.port}")
        room.say(room.add("Alice", recording=False), tone(700, 10).astype("<i2").tobytes(), loop=True)
        config = device_config(f"https://{host}:{backend.port}", room.token, room.ca_file, folder)
        config["log"]["level"] = "info"
        plugs = Plugs(folder)
        if log_to is not None:
            stack.callback(lambda: _keep(folder / "device.log", log_to))
        device = stack.enter_context(
            MemoryDevice(
                folder,
                config,
                prefix=site.command([]) if site else (),
                module="tests.soak.device",
                arguments=[folder],
            )
        )
        here = World(room, backend, wire, device, plugs, site, folder / "token", [room.token])
        wait_until(lambda: _joined(here), _JOIN_S, "the device to join the room")
        yield here


def _joined(here: World) -> bool:
    here.check_device()
    return any(connection.joined_s is not None for connection in here.room.connections())


def _keep(log: Path, log_to: Path) -> None:
    log_to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(log, log_to)
