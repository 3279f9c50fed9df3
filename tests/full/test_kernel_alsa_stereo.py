"""A kernel's own sound card of 48 kHz and two channels, through ALSA's plug: what ingestd tells of it and sends of it.

Debian 13 with its own libraries in a virtual machine; the microphone's left channel has one tone, its right another.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

from tests.rig.vm.device import Device
from tests.rig.vm.image import why_not
from tests.rig.vm.machine import AHEAD, HOST, VirtualMachine, put_ahead
from tests.standin.client import StandIn
from tests.standin.sounds import level, tone

LEFT_HZ, RIGHT_HZ, ROOM_HZ = 600, 1700, 1000
AMPLITUDE = 8000.0
CARD_RATE_HZ = 48000
CARD_FORM = f"-q -t raw -f S16_LE -r {CARD_RATE_HZ} -c 2"
MIC, SPEAKER = "plughw:CARD=Loopback,DEV=1,SUBDEV=3", "plughw:CARD=Loopback,DEV=0,SUBDEV=4"

pytestmark = [pytest.mark.full, pytest.mark.alone, pytest.mark.root, pytest.mark.timeout(900)]


@dataclass
class Call:
    """What one setting of `audio.capture.channel` came to."""

    status: dict[str, Any]
    left: float
    """Amplitude of the left channel's tone in what the room received, of AMPLITUDE."""
    right: float


def tones() -> bytes:
    """A second for the microphone: whole periods, so that it can be played again and again."""
    at_s = np.arange(CARD_RATE_HZ) / CARD_RATE_HZ
    both = [AMPLITUDE * np.sin(2 * np.pi * hertz * at_s) for hertz in (LEFT_HZ, RIGHT_HZ)]
    return np.rint(np.stack(both, axis=1)).astype("<i2").tobytes()


@pytest.fixture(scope="module")
def room() -> Iterator[StandIn]:
    """The room, in which a tone never ends."""
    if reason := why_not():
        pytest.skip(reason)
    with StandIn(tls=True, tls_names=[HOST], command_prefix=AHEAD) as room:
        put_ahead(room.pid)
        room.say(room.add("Ann"), tone(ROOM_HZ, 1.0, AMPLITUDE), loop=True)
        yield room


@pytest.fixture(scope="module")
def machine(room: StandIn) -> Iterator[VirtualMachine]:
    """The machine, with the far ends of its card in use: they decide what the card runs at."""
    with (
        TemporaryDirectory(prefix="ingestd-vm-") as folder,  # pytest's paths are too long for a socket
        VirtualMachine(Path(folder), {"tones.raw": tones()}) as machine,
    ):
        Device(machine).install()
        machine.start(f"while cat /srv/tones.raw; do :; done | aplay {CARD_FORM} -D hw:Loopback,0,3")
        machine.start(f"exec arecord {CARD_FORM} -D hw:Loopback,1,4 /run/speaker.raw")
        yield machine


@pytest.fixture(scope="module", params=["left", "right", "mix"])
def call(request: pytest.FixtureRequest, room: StandIn, machine: VirtualMachine) -> tuple[str, Call]:
    """The setting, and what came of it."""
    device = Device(machine)
    capture = {"device": MIC, "channel": request.param}
    device.configure(room, {"capture": capture, "playback": {"device": SPEAKER}})
    number = len(room.calls()) + 1
    device.restart()
    room.wait_joined(number, timeout_s=120)
    time.sleep(8)
    status = machine.status()
    pcm = room.received(number - 1).pcm[-2 * 16000 :]  # two seconds
    print(device.log())
    return request.param, Call(status, level(pcm, LEFT_HZ) / AMPLITUDE, level(pcm, RIGHT_HZ) / AMPLITUDE)


def test_the_channel_asked_for_is_sent(call: tuple[str, Call]) -> None:
    channel, heard = call
    left, right = {"left": (1.0, 0.0), "right": (0.0, 1.0), "mix": (0.5, 0.5)}[channel]
    assert [heard.left, heard.right] == pytest.approx([left, right], abs=0.03)


def test_the_status_tells_what_the_hardware_does(call: tuple[str, Call]) -> None:
    devices = call[1].status["devices"]
    for name in ("capture", "playback"):
        told = {key: devices[name][key] for key in ("hardware_rate_hz", "hardware_channels", "converter", "warnings")}
        assert told == {"hardware_rate_hz": 48000, "hardware_channels": 2, "converter": "speexrate", "warnings": []}


def test_the_room_is_heard_from_both_loudspeakers(call: tuple[str, Call], machine: VirtualMachine) -> None:
    machine.run(f"tail -c {CARD_RATE_HZ * 4 * 2} /run/speaker.raw >/run/last.raw")  # two seconds
    heard = np.frombuffer(machine.fetch("/run/last.raw"), dtype="<i2").reshape(-1, 2)[:CARD_RATE_HZ]
    turn = np.exp(-2j * np.pi * ROOM_HZ * np.arange(CARD_RATE_HZ) / CARD_RATE_HZ)
    levels = 2 * np.abs(turn @ heard.astype(np.float64)) / CARD_RATE_HZ / AMPLITUDE
    assert levels.tolist() == pytest.approx([1.0, 1.0], abs=0.1)
    assert np.array_equal(heard[:, 0], heard[:, 1])
