"""Sound devices that are absent or busy when the daemon starts, and how long it takes once they can be had."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.rig.alsa_device import AlsaDevice, alsa_device
from tests.rig.busy_pcm import OtherProgram
from tests.rig.figures import Figures
from tests.rig.process import wait_until
from tests.rig.replug import Ear, RoomEar, SpeakerEar, wait_for_sound
from tests.rig.sound import SoundRig
from tests.rig.wav import tone
from tests.standin.client import StandIn

BACK_S = 2.0
GUARD_S = 20.0
LOOKS = 1000
LEAK_BYTES = 10.0
"""For each look: memory grows by whole pages, so that 4.1 a thousand is no more than one of them."""
WAITED_S = 1.7
"""Long enough that nobody gets away with looking just once more."""


@pytest.mark.waits
@pytest.mark.parametrize("hard", [False, True], ids=["device", "server"])
def test_absent_at_boot(tmp_path: Path, sound: SoundRig, figures: Figures, hard: bool) -> None:
    for card in (sound.mic, sound.speaker):
        card.unplug(hard=hard)

    def plug_in() -> None:
        for card in (sound.mic, sound.speaker):
            card.replug(warm=False)

    with StandIn(tls=True) as room, alsa_device(room, tmp_path) as device:
        wait_for_loss(device, room)
        judge(figures, f"absent_{'server' if hard else 'device'}", sound, room, plug_in)


@pytest.mark.waits
def test_not_even_a_name_at_boot(tmp_path: Path, sound: SoundRig, figures: Figures) -> None:
    """As with `hw:CARD=Mic` before that card is there."""
    settings = sound.folder / "alsa.conf"
    later = settings.read_text()
    settings.write_text("</usr/share/alsa/alsa.conf>\n")

    def plug_in() -> None:
        (sound.folder / "later").write_text(later)
        (sound.folder / "later").rename(settings)

    with StandIn(tls=True) as room, alsa_device(room, tmp_path) as device:
        wait_for_loss(device, room)
        judge(figures, "absent_name", sound, room, plug_in)


@pytest.mark.waits
def test_busy_at_boot(tmp_path: Path, sound: SoundRig, figures: Figures) -> None:
    other = OtherProgram(sound.folder)
    with (sound.folder / "alsa.conf").open("a") as settings:
        settings.write(other.alsa_definition(taken_mic="mic", taken_speaker="speaker"))
    other.hold()
    with StandIn(tls=True) as room, alsa_device(room, tmp_path, "taken_mic", "taken_speaker") as device:
        wait_for_loss(device, room)
        faults = [fault["what"] for fault in device.status()["faults"]]
        assert len(faults) == 2
        assert all("busy" in fault for fault in faults), faults
        judge(figures, "busy", sound, room, other.let_go)


def wait_for_loss(device: AlsaDevice, room: StandIn) -> None:
    """The call is up without any sound device, and has been for a while."""
    room.wait_joined()
    wait_until(lambda: len(device.status()["faults"]) == 2, GUARD_S, "word of both devices")
    assert device.lost("capture")
    assert device.lost("playback")
    room.wait_received(0, round(50 * WAITED_S))


def judge(figures: Figures, name: str, sound: SoundRig, room: StandIn, plug_in: Callable[[], None]) -> None:
    """Makes both devices available by `plug_in`, and finds out when they are heard."""
    room.say(room.add("Alice", recording=False), tone(700, 10).tobytes(), loop=True)
    plug_in()
    in_s = time.monotonic()
    back_s = {}
    with ExitStack() as stack:
        ears: dict[str, Ear] = {"speaker": SpeakerEar(sound.speaker), "microphone": RoomEar(sound.mic, room)}
        heard = {card: stack.enter_context(ear.listen(0)) for card, ear in ears.items()}
        for card, when in heard.items():
            back_s[card] = wait_for_sound(when, in_s + GUARD_S) - in_s
    for card, seconds in back_s.items():
        assert figures.add(f"{name}_at_boot_{card}_back_s", seconds, max=BACK_S)


@pytest.mark.undisturbed
@pytest.mark.parametrize("kind", ["source", "sink"])
@pytest.mark.parametrize("away", ["card", "name", "device", "server"])
def test_looking_for_what_is_absent_leaks_nothing(sound: SoundRig, figures: Figures, away: str, kind: str) -> None:
    """Twice a second for years: a hundred bytes each time would be gigabytes."""
    card = {"source": sound.mic, "sink": sound.speaker}[kind]
    if away in ("device", "server"):
        card.unplug(hard=away == "server")
    name = {"card": "hw:7,7", "name": "absent"}.get(away, card.name)
    grown_bytes = look_for(f"{kind}={name}")
    assert figures.add(f"look_for_absent_{away}_{kind}_leak_bytes", grown_bytes / LOOKS, max=LEAK_BYTES)


def test_two_that_look_at_once_never_wait_for_each_other(sound: SoundRig) -> None:
    """libasound complains of a missing plugin while it holds a lock of its own."""
    with (sound.folder / "alsa.conf").open("a") as settings:
        settings.write(f'pcm_type.broken {{ lib "{sound.folder}/missing.so" }}\npcm.broken {{ type broken }}\n')
    look_for("source=broken", "sink=broken")


def look_for(*devices: str) -> int:
    """Looks 2 × LOOKS times for each of what is absent; by how many bytes memory grew over the second half."""
    command = [sys.executable, "-m", "tests.rig.failing_opens", str(2 * LOOKS), *devices]
    return int(subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=3 * GUARD_S).stdout)
