"""`ingestctl` in a real terminal, and a device that it can be asked about."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.rig.memory_device import MemoryDevice, device_config
from tests.rig.process import wait_until
from tests.rig.terminal import Terminal
from tests.standin.client import StandIn

_AGAIN_S = 3.0
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


def wait_shown(watch: Terminal, *texts: str, again: Callable[[], object] | None = None) -> str:
    """Waits until all of them are on the screen, wherever its lines are broken; the screen in one line.

    `again` is done every few seconds meanwhile: what is told while a daemon that is late is asked anew is never seen.
    """
    begun_s = time.monotonic()
    times = 0

    def shown(seen: list[str]) -> bool:
        nonlocal times
        if again is not None and time.monotonic() - begun_s >= times * _AGAIN_S:
            times += 1
            again()
        return all(each in flat(" ".join(seen)) for each in texts)

    return flat("\n".join(watch.wait(shown, repr(texts))))


def wait_in_the_room(watch: Terminal) -> None:
    """Waits until it says so of the device: not that it is out of the room."""
    watch.wait(lambda seen: seen[0].startswith(" IN THE ROOM "), "the device in the room")


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


def is_lost(status: dict[str, Any]) -> bool:
    """Whether a sound device is."""
    return any(each["lost"] for each in status["devices"].values())


def lasting(status: dict[str, Any]) -> set[str]:
    """The areas with a fault that is not over."""
    return {fault["area"] for fault in status["faults"] if not fault["over"]}


@contextmanager
def in_memory(directory: Path, room: StandIn) -> Iterator[MemoryDevice]:
    """A device that listens to CHAT, once all is well with it."""
    config = device_config(room.base_url, room.token, room.ca_file, directory)

    def is_well() -> bool:
        status = device.status()
        return bool((status["room"] or {}).get("joined")) and not is_lost(status) and not lasting(status)

    def listens() -> bool:
        return '{"event":"subscribe","topic":"CHAT"}' in room.connection().topic_texts

    with MemoryDevice(directory, {**config, "messaging": {"subscribe": ["CHAT"]}}) as device:
        wait_until(device.socket.exists, 20, "the control socket")
        wait_until(is_well, 20, "the room and both sound devices")  # each a thread's of its own
        wait_until(listens, 20, "the room to know of the topic")
        yield device


@contextmanager
def good_device(directory: Path) -> Iterator[Good]:
    """All is well with it."""
    with StandIn(tls=True, quiet="silence") as room:
        alice = room.add("Alice")
        with in_memory(directory, room) as device:
            wait_until(lambda: (device.status()["room"] or {}).get("others") == 1, 20, "word of Alice")
            yield Good(room, alice, device)
