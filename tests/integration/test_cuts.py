"""A dead link and a peer that stops reading: what the room hears afterwards is now, not then."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from tests.rig import netns
from tests.rig.figures import Figures
from tests.rig.heard import Heard
from tests.rig.memory_device import MemoryDevice, device_config
from tests.rig.process import wait_until
from tests.rig.proxy import FaultProxy
from tests.standin.client import SocketFault, StandIn

pytestmark = pytest.mark.usefixtures("own_network")

CUT_S = 10.0
WARM_S = 4.0
AFTER_S = 6.0


@pytest.mark.root
@pytest.mark.timeout(120)
@pytest.mark.parametrize("end", ["far", "device"])
def test_ten_seconds_without_a_link(tmp_path: Path, figures: Figures, end: netns.End) -> None:
    if reason := netns.why_not():
        pytest.skip(reason)
    with netns.Namespace() as site:
        address = site.far_address
        with StandIn(tls=True, host=address, tls_names=[address]) as room:
            config = device_config(room.base_url, room.token, room.ca_file, tmp_path)
            with MemoryDevice(tmp_path, config, prefix=site.command([])) as device:
                room.wait_joined()
                time.sleep(WARM_S)
                site.link_down(end)
                time.sleep(CUT_S)
                back_s = time.monotonic()
                site.link_up(end)
                time.sleep(AFTER_S)
                status = device.status()
                said = device.stop()
            heard = Heard(room, said["start_s"], said["frame_s"])
    _judge_cut(figures, f"cut_at_{end}_end", heard, back_s)
    figures.add(f"cut_at_{end}_end_dropped_frames", status["uplink"]["dropped"])
    assert said["exit"] == 0


@pytest.mark.timeout(120)
def test_ten_seconds_without_a_link_further_away(tmp_path: Path, figures: Figures) -> None:
    """The device's own link stays up: no event tells it of anything."""
    with StandIn(tls=True) as room, FaultProxy(room.port) as cable:
        room.configure(public_base=f"wss://127.0.0.1:{cable.port}")
        base_url = f"https://127.0.0.1:{cable.port}"
        config = device_config(base_url, room.token, room.ca_file, tmp_path)
        with MemoryDevice(tmp_path, config) as device:
            room.wait_joined()
            time.sleep(WARM_S)
            cable.black_hole()
            time.sleep(CUT_S)
            back_s = time.monotonic()
            cable.restore()
            time.sleep(AFTER_S)
            said = device.stop()
        heard = Heard(room, said["start_s"], said["frame_s"])
    _judge_cut(figures, "cut_further_away", heard, back_s)


def _judge_cut(figures: Figures, name: str, heard: Heard, back_s: float) -> None:
    assert np.all(heard.numbers > 0), "no frame is torn"
    stale = heard.stale_after(back_s)
    recovery_s = heard.first_after_s(back_s)
    oldest_ms = heard.oldest_after_ms(back_s + 3)
    figures.add(f"{name}_stale_frames", stale, max=15)
    figures.add(f"{name}_recovery_s", recovery_s, max=3)
    figures.add(f"{name}_oldest_after_3s_ms", oldest_ms, max=250)
    assert stale <= 15
    assert recovery_s <= 3
    assert oldest_ms <= 250


@pytest.mark.timeout(120)
def test_a_peer_that_stops_reading(tmp_path: Path, figures: Figures) -> None:
    with StandIn(tls=True) as room:
        config = device_config(room.base_url, room.token, room.ca_file, tmp_path)
        with MemoryDevice(tmp_path, config) as device:
            room.wait_joined()
            time.sleep(WARM_S)
            stopped_s = time.monotonic()
            room.inject(SocketFault("stop_reading", for_s=CUT_S))
            wait_until(lambda: device.status()["session"]["epoch"] > 1, CUT_S, "a fresh session")
            noticed_s = time.monotonic() - stopped_s
            time.sleep(max(0.0, stopped_s + CUT_S - time.monotonic()))
            back_s = time.monotonic()
            time.sleep(AFTER_S)
            faults = device.status()["faults"]
            said = device.stop()
        heard = Heard(room, said["start_s"], said["frame_s"])
    assert np.all(heard.numbers > 0), "no frame is torn"
    stale = heard.stale_after(stopped_s)
    oldest_ms = heard.oldest_after_ms(back_s + 3)
    figures.add("peer_stops_reading_noticed_s", noticed_s, max=CUT_S)
    figures.add("peer_stops_reading_stale_frames", stale)
    figures.add("peer_stops_reading_oldest_after_3s_ms", oldest_ms, max=250)
    assert noticed_s < CUT_S
    assert oldest_ms <= 250
    assert any("ping" in fault["what"] for fault in faults)
