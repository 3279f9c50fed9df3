"""Sound devices that hang or are not there: the call stays up, and the log stays short."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ingestd.control.client import ControlClient
from tests.rig.memory_device import device_config
from tests.rig.process import end, spawn, wait_until
from tests.rig.sound import SoundRig
from tests.standin.client import StandIn

GUARD_S = 30.0


class Running:
    """The daemon on ALSA devices."""

    def __init__(self, socket: Path, log: Path, process: subprocess.Popen[bytes]) -> None:
        self._socket = socket
        self._log = log
        self.process = process

    def status(self) -> dict[str, Any]:
        with ControlClient(self._socket) as client:
            status: dict[str, Any] = client.call("status")
            return status

    def log(self) -> str:
        return self._log.read_text()


@contextmanager
def daemon(room: StandIn, folder: Path, capture: str, playback: str, level: str = "info") -> Iterator[Running]:
    config = device_config(room.base_url, room.token, room.ca_file, folder)
    config["audio"] = {"capture": {"device": capture}, "playback": {"device": playback}}
    config["control"] = {"socket": str(folder / "control.sock")}
    config["log"] = {"level": level}
    path = folder / "ingestd.yaml"
    path.write_text(json.dumps(config))
    with (folder / "log").open("wb") as stderr:
        process = spawn([sys.executable, "-m", "ingestd", "--config", path], stderr=stderr)
    try:
        yield Running(folder / "control.sock", folder / "log", process)
        assert end(process, 10) == 0
    finally:
        end(process)


@pytest.mark.xfail(
    strict=True,
    raises=TimeoutError,
    reason="pyalsaaudio keeps the interpreter's lock in open, drop and close: a server that hangs holds every thread",
)
def test_a_frozen_speaker_is_noticed_and_the_call_goes_on(tmp_path: Path, sound: SoundRig) -> None:
    with StandIn(tls=True) as room, daemon(room, tmp_path, "mic", "speaker") as device:
        room.wait_joined()
        wait_until(lambda: not device.status()["devices"]["playback"]["lost"], GUARD_S, "the speaker")
        sound.speaker.freeze()
        try:
            wait_until(lambda: device.status()["devices"]["playback"]["lost"], GUARD_S, "word of its loss")
            frames = device.status()["uplink"]["frames"]
            wait_until(lambda: device.status()["uplink"]["frames"] > frames + 50, GUARD_S, "audio from the device")
        finally:
            sound.speaker.thaw()
        assert device.status()["session"]["epoch"] == 1
        assert any("playback device 'speaker'" in fault["what"] for fault in device.status()["faults"])
        wait_until(lambda: not device.status()["devices"]["playback"]["lost"], GUARD_S, "the speaker again")


def test_absent_devices_are_one_line_each_and_nothing_else(tmp_path: Path, sound: SoundRig) -> None:
    with StandIn(tls=True) as room, daemon(room, tmp_path, "absent", "hw:7,7") as device:
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


@pytest.mark.parametrize("card", ["mic", "speaker"])
def test_a_device_that_is_pulled_out_comes_back(tmp_path: Path, sound: SoundRig, card: str) -> None:
    kind = {"mic": "capture", "speaker": "playback"}[card]
    with StandIn(tls=True) as room, daemon(room, tmp_path, "mic", "speaker") as device:
        room.wait_joined()
        wait_until(lambda: not device.status()["devices"][kind]["lost"], GUARD_S, "the device")
        virtual = getattr(sound, card)
        virtual.unplug(hard=True)
        wait_until(lambda: device.status()["devices"][kind]["lost"], GUARD_S, "word of its loss")
        virtual.replug()
        wait_until(lambda: not device.status()["devices"][kind]["lost"], GUARD_S, "the device again")
        assert device.status()["session"]["epoch"] == 1
