"""`ingestctl` in a real terminal, and a device that it can be asked about."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.rig.memory_device import MemoryDevice, device_config
from tests.rig.process import wait_until
from tests.rig.terminal import Terminal
from tests.standin.client import StandIn

CTL = [sys.executable, "-m", "ingestd.ctl.main"]


def ctl(socket: Path, *arguments: str, **terminal: Any) -> Terminal:
    """Runs it; `terminal` is what `Terminal` takes."""
    return Terminal([*CTL, "--socket", socket, *arguments], **terminal)


def tall(command: Sequence[str | Path]) -> Terminal:
    """Where everything has room."""
    return Terminal(command, columns=100, lines=60)


def flat(text: str) -> str:
    """In one line, wherever its lines were broken."""
    return " ".join(text.split())


def status_on_screen(socket: Path, expected: int) -> str:
    """What `ingestctl status` leaves on a screen, in one line; its exit status has to be `expected`."""
    with tall([*CTL, "--socket", socket, "status"]) as shown:
        assert shown.status() == expected, shown.text
        return flat(shown.text)


def wait_shown(watch: Terminal, *texts: str) -> str:
    """Waits until all of them are on the screen, wherever its lines are broken; the screen in one line."""
    return flat("\n".join(watch.wait(lambda seen: all(each in flat(" ".join(seen)) for each in texts), repr(texts))))


@dataclass
class Good:
    """A device in memory, in the room with Alice."""

    room: StandIn
    alice: str
    device: MemoryDevice

    @property
    def socket(self) -> Path:
        """Its control socket."""
        return self.device.socket


@contextmanager
def in_memory(directory: Path, room: StandIn) -> Iterator[MemoryDevice]:
    """A device that listens to CHAT, once it has joined the room."""
    config = device_config(room.base_url, room.token, room.ca_file, directory)
    with MemoryDevice(directory, {**config, "messaging": {"subscribe": ["CHAT"]}}) as device:
        wait_until(device.socket.exists, 20, "the control socket")
        wait_until(lambda: (device.status()["room"] or {}).get("joined"), 20, "the room")
        yield device


@contextmanager
def good_device(directory: Path) -> Iterator[Good]:
    """All is well with it."""
    with StandIn(tls=True, quiet="silence") as room:
        alice = room.add("Alice")
        with in_memory(directory, room) as device:
            yield Good(room, alice, device)
