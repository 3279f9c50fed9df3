"""The clocks of microphone, loudspeaker and room against this machine's, as the status shows them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.rig.figures import Figures
from tests.rig.memory_device import MemoryDevice, device_config
from tests.rig.process import wait_until
from tests.rig.speech import conversation
from tests.standin.client import StandIn

pytestmark = pytest.mark.waits

MICROPHONE_PPM = 120.0
SPEAKER_PPM = -150.0
KNOWN_S = 150.0
"""Half a minute, and as much more as this machine keeps the loudspeaker from being fed in time."""
MEASURED_S = 60.0


@pytest.mark.timeout(240)
def test_each_clock_is_known_after_a_while(tmp_path: Path, figures: Figures) -> None:
    with StandIn(tls=True) as room:
        config = device_config(room.base_url, room.token, room.ca_file, tmp_path)
        with MemoryDevice(tmp_path, config, ppm=MICROPHONE_PPM, speaker_ppm=SPEAKER_PPM) as device:
            room.wait_joined()
            begun_s = time.monotonic()
            assert set(device.status()["clocks"].values()) == {None}, "nothing is known yet"
            room.say(room.add("Somebody"), conversation(30.0)[0].tobytes(), loop=True)
            wait_until(lambda: None not in device.status()["clocks"].values(), KNOWN_S, "all clocks", every=0.5)
            known_s = time.monotonic() - begun_s
            time.sleep(max(0.0, MEASURED_S - known_s))
            status = device.status()
            assert device.stop()["exit"] == 0
    clocks = status["clocks"]
    figures.add("clocks_known_after_s", known_s)
    assert figures.add("clock_microphone_error_ppm", abs(clocks["capture_ppm"] - MICROPHONE_PPM), max=20)
    assert figures.add("clock_speaker_error_ppm", abs(clocks["playback_ppm"] - SPEAKER_PPM), max=20)
    assert figures.add("clock_server_error_ppm", abs(clocks["server_ppm"]), max=20)
    assert status["downlink"]["ppm"] == pytest.approx(-SPEAKER_PPM, abs=40)
