"""Rounds in the virtual machine: the floor program and the daemon on kernel ALSA, in turns, in one boot and one room.

Both are in the call over plain text, both ways; the daemon records from and plays to the kernel's own sound card, the
floor program has none. What feeds and hears that card runs beside either of them.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.parse import urlsplit

from tests.bench.peers.arrivals import Watch
from tests.rig.speech import TEXTS, speak
from tests.rig.vm.device import Device, Tasks
from tests.rig.vm.judge import Times, share_covered
from tests.rig.vm.machine import AHEAD, HOST, VirtualMachine, put_ahead
from tests.rig.vm.scene import AUDIO
from tests.rig.vm.stalls import StallWatch
from tests.standin.client import StandIn

FLOOR: Final = "floor"
OURS: Final = "ours"
SETTLE_S: Final = 6.0
"""From a contender's first frame to the measured time: its start is no part of it."""
_JOIN_S = 60.0
_FLOOR = f"/usr/local/bin/{FLOOR}"
_SAID = "said.pcm"
_FLOOR_SOURCE = Path(__file__).parent / "peers" / "floor.c"
_TO_HOST = f"""
#include <arpa/inet.h>
#undef INADDR_LOOPBACK /* what is this machine's own address is the guest's gateway there */
#define INADDR_LOOPBACK {int(IPv4Address(HOST)):#x}u
#include "{_FLOOR_SOURCE}"
"""


@dataclass
class Round:
    """One contender for a while. Times are the guest's CLOCK_MONOTONIC (seconds)."""

    contender: str
    before: Tasks
    after: Tasks
    arrivals_s: Times
    """Of its frames at the room's port, from the first on, by this machine's kernel."""
    played_frames: int
    """What the room sent it meanwhile."""
    peak_rss_mib: float
    capture_xruns: int = 0
    playback_underruns: int = 0
    started_s: float = float("nan")
    """When its process began, of the daemon."""


@dataclass(frozen=True)
class Recorded:
    """All rounds, in order."""

    rounds: list[Round]
    guest_xruns: int
    """In the measured times, of the program in C that reads a card as the daemon does, with a real-time priority."""
    stalled_s: float
    """For how long of those the machine's or the room's processes waited for a processor here."""


@dataclass(frozen=True)
class _Site:
    """What runs during all rounds."""

    machine: VirtualMachine
    device: Device
    room: StandIn


@dataclass(frozen=True)
class _Started:
    """A contender that is in the room."""

    pid: int
    call_id: str
    at_s: float = float("nan")
    """When its process began, by the guest's clock."""


def record(count: int, seconds: float, tell: Callable[[str], None]) -> Recorded:
    """Boots, and measures each contender `count` times for so long. `tell` hears how far it is."""
    said = speak(TEXTS[0]).tobytes()
    with (
        TemporaryDirectory(prefix="ingestd-vm-") as folder,
        StandIn(command_prefix=AHEAD) as room,
        VirtualMachine(Path(folder), {FLOOR: _floor_program(), _SAID: said}) as machine,
        StallWatch([machine.pid, room.pid]) as watch,
    ):
        tell("booted")
        put_ahead(room.pid)
        site = _Site(machine, Device(machine), room)
        _set_up(site)
        tell("installed")
        room.say(room.add("Ann"), said, loop=True)
        rounds = []
        for number in range(1, count + 1):
            for contender, running in ((FLOOR, _floor), (OURS, _ours)):
                with Watch(room.port) as arrivals, running(site) as started:
                    rounds.append(_measured(contender, site, started, arrivals, seconds))
                tell(f"round {number}, {contender}")
        xruns_s = [at_s for at_s, event, _ in site.device.events("reader") if event == "xrun"]
    rate, offset = machine.clock()
    for each in rounds:
        each.arrivals_s = each.arrivals_s * rate + offset
    measured = [(each.before.at_s, each.after.at_s) for each in rounds]
    stalls = [(from_s * rate + offset, until_s * rate + offset) for from_s, until_s in watch.stalls]
    return Recorded(
        rounds,
        sum(from_s < at_s < until_s for at_s in xruns_s for from_s, until_s in measured),
        sum(share_covered(stalls, from_s, until_s) * (until_s - from_s) for from_s, until_s in measured),
    )


def _set_up(site: _Site) -> None:
    site.machine.run(f"install -m 755 /srv/{FLOOR} {_FLOOR}")
    site.device.install()
    site.device.configure(site.room, AUDIO)
    site.device.start_programs()


def _floor_program() -> bytes:
    with TemporaryDirectory() as folder:
        program = Path(folder, FLOOR)
        command = ["gcc", "-O2", "-pthread", "-x", "c", "-o", str(program), "-"]
        subprocess.run(command, input=_TO_HOST, text=True, check=True)
        return program.read_bytes()


@contextmanager
def _floor(site: _Site) -> Iterator[_Started]:
    session = site.room.create_session(name=FLOOR)
    url = urlsplit(session.ws_url)
    path = f"{url.path}?{url.query}"
    pid = site.machine.start(f"exec {_FLOOR} {site.room.port} '{path}' /srv/{_SAID}")
    site.room.wait_received(session.call_id, 1, _JOIN_S)
    yield _Started(pid, session.call_id)
    site.machine.run(f"kill {pid}")


@contextmanager
def _ours(site: _Site) -> Iterator[_Started]:
    number = len(site.room.calls())
    site.device.restart()
    call = site.room.wait_for(lambda: site.room.calls(number), "a call", _JOIN_S)[0]
    site.room.wait_received(call.call_id, 1, _JOIN_S)
    began_s = int(site.device.unit("ExecMainStartTimestampMonotonic")) * 1e-6
    yield _Started(int(site.device.unit("MainPID")), call.call_id, began_s)
    site.machine.run("systemctl stop ingestd")


def _measured(contender: str, site: _Site, started: _Started, arrivals: Watch, seconds: float) -> Round:
    """Its `arrivals_s` are still this machine's."""
    time.sleep(SETTLE_S)
    xruns, underruns = _counts(contender, site.machine)
    played = site.room.call(started.call_id).sent_frames
    before = site.device.tasks(started.pid)
    time.sleep(seconds)
    after = site.device.tasks(started.pid)
    played = site.room.call(started.call_id).sent_frames - played
    more_xruns, more_underruns = _counts(contender, site.machine)
    (flow,) = (flow for flow in arrivals.flows() if len(flow.stamps_s))
    return Round(
        contender,
        before,
        after,
        flow.stamps_s + (time.monotonic() - time.time()),
        played,
        site.device.peak_rss_mib(started.pid),
        more_xruns - xruns,
        more_underruns - underruns,
        started.at_s,
    )


def _counts(contender: str, machine: VirtualMachine) -> tuple[int, int]:
    """Xruns of the capture and underruns of the playback so far; the floor has neither."""
    if contender == FLOOR:
        return 0, 0
    status = machine.status()
    return status["uplink"]["xruns"], status["downlink"]["device_underruns"]
