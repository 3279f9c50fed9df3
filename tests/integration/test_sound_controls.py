"""Mute and gain of a running daemon: what the room gets of it, to the sample and without a frame missing."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ingestd.control.client import ControlClient
from ingestd.ctl.main import main as ingestctl
from tests.rig.figures import Figures
from tests.rig.memory_device import MemoryDevice, device_config
from tests.rig.memory_ports import frame_numbers
from tests.rig.process import wait_until
from tests.standin.client import StandIn

GUARD_S = 30.0


@pytest.mark.timeout(120)
def test_muted_frames_are_zeros_and_every_other_is_as_it_was_captured(tmp_path: Path, figures: Figures) -> None:
    with StandIn(tls=True) as room:
        config = device_config(room.base_url, room.token, room.ca_file, tmp_path)
        with MemoryDevice(tmp_path, config) as device:
            room.wait_joined()
            room.wait_received(0, 50)
            asked_s = time.monotonic()
            assert ingestctl(["--socket", str(device.socket), "mute"]) == 0
            muted_s = time.monotonic()
            assert device.status()["uplink"]["muted"] is True
            room.wait_received(0, room.call(0).received_frames + 50)
            muted_level_dbfs = device.status()["uplink"]["level_dbfs"]
            assert ingestctl(["--socket", str(device.socket), "unmute"]) == 0
            room.wait_received(0, room.call(0).received_frames + 50)
            status = device.status()
            device.stop()
        kept = room.received(0)
    numbers = frame_numbers(kept.samples.reshape(-1, 160))
    assert muted_level_dbfs > -20, "muted, the microphone is still seen to work"
    assert (status["uplink"]["muted"], status["uplink"]["dropped"], status["uplink"]["silence"]) == (False, 0, 0)
    zeros = np.flatnonzero(numbers == 0)
    assert 45 <= len(zeros) <= 80
    assert np.all(np.diff(zeros) == 1), "one stretch of silence"
    faded = np.flatnonzero(numbers == -1)
    assert set(faded) <= {zeros[0] - 1, zeros[-1] + 1}, "only the frames at its ends are touched"
    whole = np.flatnonzero(numbers > 0)
    assert np.all(numbers[whole] - whole == numbers[0]), "and none is missing, in it or around it"
    figures.add("mute_until_silent_ms", (kept.times_s[zeros[0]] - asked_s) * 1000)
    assert np.all(numbers[kept.times_s > muted_s + 0.2][:20] == 0)


@pytest.mark.timeout(120)
def test_a_muted_device_comes_back_muted_from_its_first_frame_even_when_it_was_killed(tmp_path: Path) -> None:
    with StandIn(tls=True) as room:
        config = device_config(room.base_url, room.token, room.ca_file, tmp_path)
        with MemoryDevice(tmp_path, config) as device:
            room.wait_joined()
            room.wait_received(0, 10)
            assert ingestctl(["--socket", str(device.socket), "mute"]) == 0
            assert ingestctl(["--socket", str(device.socket), "gain", "--playback", "-6"]) == 0
            device.process.kill()
        with MemoryDevice(tmp_path, config) as device:
            room.wait_joined(2)
            room.wait_received(1, 25)
            status = device.status()
            kept = room.received(1)
            assert ingestctl(["--socket", str(device.socket), "unmute"]) == 0
            # Not so many frames on: a microphone that was late is replaced by silence.
            wait_until(lambda: room.received(1).samples.any(), GUARD_S, "sound")
            device.stop()
    assert (status["uplink"]["muted"], status["downlink"]["gain_db"]) == (True, -6.0)
    assert not kept.samples.any(), "not one sample got out"


@pytest.mark.timeout(120)
def test_a_gain_applies_to_the_running_call(tmp_path: Path) -> None:
    with StandIn(tls=True) as room:

        def heard() -> NDArray[np.int64]:
            """Without the silence there is in place of a microphone that was late."""
            numbers = frame_numbers(room.received(0).samples.reshape(-1, 160))
            sounding: NDArray[np.int64] = numbers[numbers != 0]
            return sounding

        config = device_config(room.base_url, room.token, room.ca_file, tmp_path)
        config["audio"] = {"capture": {"gain_db": -6.0}, "playback": {"gain_db": 3.0}}
        with MemoryDevice(tmp_path, config) as device:
            room.wait_joined()
            wait_until(lambda: len(heard()) >= 25, GUARD_S, "the first frames")
            with ControlClient(device.socket, GUARD_S) as client:
                assert client.call("gain") == {"capture_db": -6.0, "playback_db": 3.0}, "as it was configured"
                assert client.call("gain", capture_db=0.0) == {"capture_db": 0.0, "playback_db": 3.0, "kept": True}
            wait_until(lambda: np.all(heard()[-20:] > 0), GUARD_S, "frames that are bit-exact again")
            status = device.status()
            device.stop()
        numbers = heard()
    assert (status["uplink"]["gain_db"], status["downlink"]["gain_db"]) == (0.0, 3.0)
    assert np.all(numbers[:20] == -1), "quieter, so not as it was captured"
    assert np.all(numbers[-20:] > 0), "bit-exact again"
