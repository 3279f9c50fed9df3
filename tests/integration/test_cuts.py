"""A dead link and a peer that stops reading: what the room hears afterwards is now, not then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.rig import netns
from tests.rig.figures import Figures
from tests.rig.heard import Heard
from tests.rig.memory_device import MemoryDevice, device_config
from tests.rig.process import wait_until
from tests.rig.proxy import FaultProxy
from tests.standin.client import SocketFault, StandIn

CUT_S = 10.0
WARM_S = 4.0
AFTER_S = 6.0

pytestmark = pytest.mark.timeout(120)


@dataclass(frozen=True)
class Life:
    """What became of a device; moments are CLOCK_MONOTONIC."""

    heard: Heard
    struck_s: float
    back_s: float
    exit_status: int
    status: dict[str, Any]
    """As it was a moment before it was told to stop."""
    noticed_s: float = 0.0
    """A fresh session was there so long after the strike, where it was waited for."""


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Life]]]:
    """All at once, as they mostly wait; each in a network of its own, as a cable is an event to who watches."""
    ways = {"further_away": _cut_further_away, "stops_reading": _stops_reading}
    if not netns.why_not():  # once: it lays a namespace of one name to find out
        ways |= {"far": partial(_cut, "far"), "device": partial(_cut, "device")}
        ways = {name: partial(_apart, way) for name, way in ways.items()}
    with ThreadPoolExecutor(len(ways)) as pool:
        yield {name: pool.submit(way, tmp_path_factory.mktemp(name)) for name, way in ways.items()}


def _apart(way: Callable[[Path], Life], folder: Path) -> Life:
    with netns.Apart() as network, network.entered():  # this thread and all that it starts
        return way(folder)


def _cut(end: netns.End, folder: Path) -> Life:
    with netns.Namespace() as site:
        address = site.far_address
        with StandIn(tls=True, host=address, tls_names=[address]) as room:
            config = device_config(room.base_url, room.token, room.ca_file, folder)
            with MemoryDevice(folder, config, prefix=site.command([])) as device:
                return _cut_off(room, device, lambda: site.link_down(end), lambda: site.link_up(end))


def _cut_further_away(folder: Path) -> Life:
    """The device's own link stays up: no event tells it of anything."""
    with StandIn(tls=True) as room, FaultProxy(room.port) as cable:
        room.configure(public_base=f"wss://127.0.0.1:{cable.port}")
        base_url = f"https://127.0.0.1:{cable.port}"
        config = device_config(base_url, room.token, room.ca_file, folder)
        with MemoryDevice(folder, config) as device:
            return _cut_off(room, device, cable.black_hole, cable.restore)


def _cut_off(room: StandIn, device: MemoryDevice, cut: Callable[[], object], mend: Callable[[], object]) -> Life:
    room.wait_joined()
    time.sleep(WARM_S)
    struck_s = time.monotonic()
    cut()
    time.sleep(CUT_S)
    back_s = time.monotonic()
    mend()
    time.sleep(AFTER_S)
    return _ended(room, device, struck_s, back_s)


def _stops_reading(folder: Path) -> Life:
    with StandIn(tls=True) as room:
        config = device_config(room.base_url, room.token, room.ca_file, folder)
        with MemoryDevice(folder, config) as device:
            room.wait_joined()
            time.sleep(WARM_S)
            struck_s = time.monotonic()
            room.inject(SocketFault("stop_reading", for_s=CUT_S))
            wait_until(lambda: device.status()["session"]["epoch"] > 1, CUT_S, "a fresh session")
            noticed_s = time.monotonic() - struck_s
            time.sleep(max(0.0, struck_s + CUT_S - time.monotonic()))
            back_s = time.monotonic()
            time.sleep(AFTER_S)
            return replace(_ended(room, device, struck_s, back_s), noticed_s=noticed_s)


def _ended(room: StandIn, device: MemoryDevice, struck_s: float, back_s: float) -> Life:
    status = device.status()
    said = device.stop()
    return Life(Heard(room, said["start_s"], said["frame_s"]), struck_s, back_s, said["exit"], status)


@pytest.mark.root
@pytest.mark.parametrize("end", ["far", "device"])
def test_ten_seconds_without_a_link(lives: dict[str, Future[Life]], figures: Figures, end: netns.End) -> None:
    if end not in lives:
        pytest.skip("no network namespaces can be made here")
    life = lives[end].result()
    _judge_cut(figures, f"cut_at_{end}_end", life)
    figures.add(f"cut_at_{end}_end_dropped_frames", life.status["uplink"]["dropped"])
    assert life.exit_status == 0


def test_ten_seconds_without_a_link_further_away(lives: dict[str, Future[Life]], figures: Figures) -> None:
    _judge_cut(figures, "cut_further_away", lives["further_away"].result())


def _judge_cut(figures: Figures, name: str, life: Life) -> None:
    heard, back_s = life.heard, life.back_s
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


def test_a_peer_that_stops_reading(lives: dict[str, Future[Life]], figures: Figures) -> None:
    life = lives["stops_reading"].result()
    heard = life.heard
    assert np.all(heard.numbers > 0), "no frame is torn"
    stale = heard.stale_after(life.struck_s)
    oldest_ms = heard.oldest_after_ms(life.back_s + 3)
    figures.add("peer_stops_reading_noticed_s", life.noticed_s, max=CUT_S)
    figures.add("peer_stops_reading_stale_frames", stale)
    figures.add("peer_stops_reading_oldest_after_3s_ms", oldest_ms, max=250)
    assert life.noticed_s < CUT_S
    assert oldest_ms <= 250
    assert any("ping" in fault["what"] for fault in life.status["faults"])
