"""A connection over which nothing comes any more: noticed within its time, and named."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.rig.figures import Figures
from tests.rig.memory_device import MemoryDevice, device_config
from tests.rig.process import wait_until
from tests.rig.proxy import FaultProxy
from tests.standin.client import StandIn

pytestmark = [pytest.mark.waits, pytest.mark.usefixtures("own_network")]

BLACK_HOLE_S = 15.0
SILENCE_S = 75.0
WARM_S = 4.0
GUARD_S = 20.0


def left_streaming_after_s(device: MemoryDevice, most_s: float) -> float:
    """Seconds until the first connection is given up."""
    began_s = time.monotonic()

    def left() -> bool:
        status = device.status()
        return bool(status["state"] != "streaming" or status["session"]["epoch"] > 1)

    wait_until(left, most_s + GUARD_S, "an end to the connection", every=0.05)
    return time.monotonic() - began_s


def warned(device: MemoryDevice) -> list[str]:
    """What a person was told of; the status shows it only until the next session streams."""
    return [line for line in device.log.splitlines() if " WARNING " in line]


def test_a_black_hole(tmp_path: Path, figures: Figures) -> None:
    with StandIn(tls=True) as room, FaultProxy(room.port) as cable:
        room.configure(public_base=f"wss://127.0.0.1:{cable.port}")
        config = device_config(f"https://127.0.0.1:{cable.port}", room.token, room.ca_file, tmp_path)
        with MemoryDevice(tmp_path, config) as device:
            room.wait_joined()
            time.sleep(WARM_S)
            cable.black_hole()
            noticed_s = left_streaming_after_s(device, BLACK_HOLE_S)
            cable.restore()
            room.wait_joined(2, timeout_s=GUARD_S)
            assert device.stop()["exit"] == 0
            told = warned(device)
    assert figures.add("black_hole_noticed_s", noticed_s, max=BLACK_HOLE_S)
    assert any("acknowledged" in line or "ping" in line for line in told), told


def silent_server(directory: Path, most_s: float, times: Mapping[str, Any] | None) -> float:
    """How long a server that reads and acknowledges everything, but says nothing at all, is believed."""
    with StandIn(tls=True, answer_pings=False, ping_interval_s=0.0, quiet="nothing") as room:
        config = device_config(room.base_url, room.token, room.ca_file, directory)
        with MemoryDevice(directory, config, times=times) as device:
            room.wait_joined()
            wait_until(lambda: device.status()["state"] == "streaming", GUARD_S, "the device's own word of it")
            noticed_s = left_streaming_after_s(device, most_s)
            room.wait_joined(2, timeout_s=GUARD_S)
            assert device.stop()["exit"] == 0
            told = warned(device)
        requests = room.connection(0).pings_received
    assert requests > 0, "it was asked"
    assert any("nothing received for" in line for line in told), told
    return noticed_s


def test_a_server_that_says_nothing_within_shorter_times(tmp_path: Path, figures: Figures) -> None:
    noticed_s = silent_server(tmp_path, 6.0, {"silent_for_s": 4.0})
    assert figures.add("silent_server_4s_noticed_s", noticed_s, max=6.0)


@pytest.mark.full
@pytest.mark.timeout(180)
def test_a_server_that_says_nothing(tmp_path: Path, figures: Figures) -> None:
    noticed_s = silent_server(tmp_path, SILENCE_S, None)
    assert figures.add("silent_server_noticed_s", noticed_s, max=SILENCE_S)
