"""Sound devices that hang or are not there: the call stays up, and the log stays short."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.rig.alsa_device import alsa_device
from tests.rig.process import wait_until
from tests.rig.sound import SoundRig
from tests.standin.client import StandIn

GUARD_S = 30.0


@pytest.mark.xfail(
    strict=True,
    raises=TimeoutError,
    reason="pyalsaaudio keeps the interpreter's lock in open, drop and close: a server that hangs holds every thread",
)
def test_a_frozen_speaker_is_noticed_and_the_call_goes_on(tmp_path: Path, sound: SoundRig) -> None:
    with StandIn(tls=True) as room, alsa_device(room, tmp_path) as device:
        room.wait_joined()
        wait_until(lambda: not device.lost("playback"), GUARD_S, "the speaker")
        sound.speaker.freeze()
        try:
            wait_until(lambda: device.lost("playback"), GUARD_S, "word of its loss")
            frames = device.status()["uplink"]["frames"]
            wait_until(lambda: device.status()["uplink"]["frames"] > frames + 50, GUARD_S, "audio from the device")
        finally:
            sound.speaker.thaw()
        assert device.status()["session"]["epoch"] == 1
        assert any("playback device 'speaker'" in fault["what"] for fault in device.status()["faults"])
        wait_until(lambda: not device.lost("playback"), GUARD_S, "the speaker again")


def test_absent_devices_are_one_line_each_and_nothing_else(tmp_path: Path, sound: SoundRig) -> None:
    with StandIn(tls=True) as room, alsa_device(room, tmp_path, "absent", "hw:7,7") as device:
        room.wait_joined()
        wait_until(lambda: len(device.status()["faults"]) == 2, GUARD_S, "both faults")
        wait_until(lambda: all(fault["count"] >= 1 for fault in device.status()["faults"]), GUARD_S, "their count")
        frames = device.status()["uplink"]["frames"]
        wait_until(lambda: device.status()["uplink"]["frames"] > frames + 125, GUARD_S, "some more tries")
    lines = device.log().splitlines()
    for kind in ("capture", "playback"):
        assert sum(f"can't open {kind} device" in line for line in lines) == 1
    strange = [line for line in lines if not re.match(r"\d{4}-\d\d-\d\d [\d:,]+ (INFO|WARNING) ", line)]
    assert strange == [], "libasound writes nothing there"
