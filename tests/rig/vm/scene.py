"""Minutes of a device in a call: its clocks fast, its clocks slow, then its card pulled out again and again.

Only recorded here; the guest's clock is that of all times handed out (seconds).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.rig.speech import Span, conversation
from tests.rig.vm.device import MIC, SPEAKER, Change, Device, Usage
from tests.rig.vm.judge import Event, Times
from tests.rig.vm.machine import VirtualMachine
from tests.rig.vm.stalls import StallWatch
from tests.rig.wav import Pcm
from tests.standin.client import StandIn

AUDIO = {
    "capture": {"device": f"hw:CARD=Loopback,DEV=1,SUBDEV={MIC}"},
    "playback": {"device": f"hw:CARD=Loopback,DEV=0,SUBDEV={SPEAKER}"},
}
"""What the device is configured with."""
_SETTLE_S = 5.0
_STATUS_EVERY_S = 5.0
_JOIN_S = 120.0
_NOISE = 20
"""Amplitude of the noise under the speech, so that its pauses are no silence either."""


@dataclass(frozen=True)
class Phase:
    """A time in which all clocks of the card ran fast by `ppm`, and the status at its ends."""

    ppm: int
    from_s: float
    until_s: float
    before: dict[str, Any]
    after: dict[str, Any]
    cpu_share: float
    """Of one processor of the guest, used by ingestd."""
    sleeps_per_s: float
    """How often a thread of ingestd went to sleep, and was woken."""
    used: Usage
    """At its end."""


@dataclass
class Recorded:
    """All that was noted."""

    said: Pcm
    spans: list[Span]
    began_s: float
    """When `said` began, which is said again and again."""
    phases: list[Phase] = field(default_factory=list)
    replugs: list[tuple[Change, Change]] = field(default_factory=list)
    uplink: Pcm = field(default_factory=lambda: np.zeros(0, np.int16))
    """What the room received, frame after frame of 160."""
    arrivals_s: Times = field(default_factory=lambda: np.zeros(0))
    """When each of those frames arrived."""
    heard: Pcm = field(default_factory=lambda: np.zeros(0, np.int16))
    events: dict[str, list[Event]] = field(default_factory=dict)
    looks: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    """(when, status), every few seconds of the phases."""
    stalls: list[tuple[float, float]] = field(default_factory=list)
    """When the machine's own processes, or the room's, waited for a processor here."""
    status: dict[str, Any] = field(default_factory=dict)
    log: str = ""


def speech() -> tuple[Pcm, list[Span]]:
    """A minute of speech with noise under it; the same every time."""
    said, spans = conversation(60)
    noise = np.random.default_rng(1).integers(1, _NOISE, len(said))
    return (said + noise).clip(-32768, 32767).astype(np.int16), spans


def record(
    machine: VirtualMachine,
    room: StandIn,
    *,
    phase_s: float,
    drifts_ppm: tuple[int, ...],
    away_s: tuple[float, ...],
    look_every_s: float = _STATUS_EVERY_S,
) -> Recorded:
    """Lets it happen on a device that has `AUDIO`: a phase for each drift, then an unplugging for each of `away_s`,
    each 8 s after the last.
    """
    device = Device(machine)
    with StallWatch([machine.pid, room.pid]) as watch:
        device.start_programs()
        said, spans = speech()
        began_s = room.say(room.add("Ann"), said.tobytes(), loop=True)
        number = len(room.connections()) + 1
        device.restart()
        room.wait_joined(number, timeout_s=_JOIN_S)
        recorded = Recorded(said, spans, began_s)
        spells = [_phase(machine, device, ppm, phase_s, recorded.looks, look_every_s) for ppm in drifts_ppm]
        for pause_s in away_s:
            unplugged = device.unplug()
            time.sleep(pause_s)
            recorded.replugs.append((unplugged, device.plug()))
            _watch(machine, 8.0)
        _collect(recorded, machine, device, room)
    rate, offset = machine.clock()
    recorded.began_s = began_s * rate + offset
    recorded.phases = [phase(rate, offset) for phase in spells]
    recorded.looks = [(at_s * rate + offset, status) for at_s, status in recorded.looks]
    recorded.stalls = [(from_s * rate + offset, until_s * rate + offset) for from_s, until_s in watch.stalls]
    return recorded


def _phase(
    machine: VirtualMachine,
    device: Device,
    ppm: int,
    seconds: float,
    looks: list[tuple[float, dict[str, Any]]],
    look_every_s: float,
) -> Callable[[float, float], Phase]:
    """What makes the phase once it is known how the guest's clock runs."""
    device.set_clocks(ppm)
    time.sleep(_SETTLE_S)
    before, used, from_s = machine.status(), device.usage(), time.monotonic()
    looks.append((from_s, before))
    looks += _watch(machine, seconds, look_every_s)
    until_s, after, in_the_end = time.monotonic(), machine.status(), device.usage()
    looks.append((until_s, after))
    share = (in_the_end.cpu_s - used.cpu_s) / (until_s - from_s)
    sleeps = (in_the_end.sleeps - used.sleeps) / (until_s - from_s)
    return lambda rate, offset: Phase(
        ppm, from_s * rate + offset, until_s * rate + offset, before, after, share, sleeps, in_the_end
    )


def _watch(
    machine: VirtualMachine, seconds: float, every_s: float = _STATUS_EVERY_S
) -> list[tuple[float, dict[str, Any]]]:
    """Lets time go by; asking now and then is what the guest's clock is read off by, and what a user does."""
    looks = []
    end_s = time.monotonic() + seconds
    while (left_s := end_s - time.monotonic()) > 0:
        looks.append((time.monotonic(), machine.status()))
        time.sleep(min(every_s, left_s))
    return looks


def _collect(recorded: Recorded, machine: VirtualMachine, device: Device, room: StandIn) -> None:
    recorded.status = machine.status()
    recorded.log = device.log()
    for name in ("mic", "reference", "reader", "hear"):
        recorded.events[name] = device.events(name)
    recorded.heard = np.frombuffer(device.heard("hear"), dtype="<i2")
    kept = [room.received(call.index) for call in room.calls()]
    rate, offset = machine.clock()
    recorded.uplink = np.concatenate([frames.samples for frames in kept])
    arrivals_s: NDArray[np.float64] = np.concatenate([frames.times_s for frames in kept])
    recorded.arrivals_s = arrivals_s * rate + offset
