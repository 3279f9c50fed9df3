"""Messages in a flood while audio goes on: it never waits for them, on a good way and on a narrow one.

Quiet stretches and floods alternate, so that both meet the same machine.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.rig import narrow
from tests.rig.figures import Figures
from tests.rig.heard import Heard
from tests.rig.memory_device import MemoryDevice, device_config
from tests.rig.message_flooder import Flooder
from tests.rig.narrow import NarrowNamespace
from tests.rig.process import wait_until
from tests.rig.proxy import FaultProxy
from tests.standin.client import StandIn

WINDOWS: Final = 4
EACH_S: Final = 2.0
SETTLE_S: Final = 0.8
GUARD_S: Final = 30.0
OUT_BYTES: Final = 8192
IN_PER_S: Final = 500
IN_BYTES: Final = 1024

Windows = list[tuple[float, float]]


class Run(NamedTuple):
    """What became of a device in quiet stretches and in floods."""

    heard: Heard
    quiet: Windows
    floods: Windows
    """From when to when (CLOCK_MONOTONIC seconds)."""
    asked: int
    """Messages that a local program had for the room,"""
    went: int
    """and those that went there."""
    most_between_media: int

    def gaps_ms(self, windows: Windows) -> NDArray[np.float64]:
        """Between the frames that arrived in those."""
        return np.diff(self.heard.times_s)[self._within(windows)[1:]] * 1000

    def ages_ms(self, windows: Windows) -> NDArray[np.float64]:
        """Of the frames that arrived in those: from the last sample to the coming."""
        ages: NDArray[np.float64] = self.heard.ages_ms[self._within(windows) & (self.heard.numbers > 0)]
        return ages

    def lost_percent(self, start_s: float, frame_s: float) -> float:
        """Of the frames that were spoken in the floods, those that never came."""
        lost_s = start_s + self.heard.lost * frame_s
        lost = sum(int(np.sum((lost_s >= begun_s) & (lost_s <= ended_s))) for begun_s, ended_s in self.floods)
        return 100 * lost / (sum(ended_s - begun_s for begun_s, ended_s in self.floods) / frame_s)

    def _within(self, windows: Windows) -> NDArray[np.bool_]:
        times_s = self.heard.times_s
        within = np.zeros(len(times_s), bool)
        for begun_s, ended_s in windows:
            within |= (times_s >= begun_s) & (times_s <= ended_s)
        return within


def flooded(directory: Path, room: StandIn, prefix: Sequence[str], inbound: bool) -> tuple[Run, float, float]:
    """The run, and the beginning and the length of a frame of the microphone."""
    config = device_config(room.base_url, room.token, room.ca_file, directory)
    config["messaging"] = {"subscribe": ["IN"]}
    config["log"] = {"level": "info"}
    quiet: Windows = []
    floods: Windows = []
    with MemoryDevice(directory, config, prefix=prefix) as device, Flooder(device.socket, "OUT", OUT_BYTES) as flooder:
        alice = room.add("Alice", recording=False)
        room.wait_joined()
        asked = 0
        flooder.flood(SETTLE_S)  # warm
        for _ in range(WINDOWS):
            time.sleep(SETTLE_S)
            quiet.append((time.monotonic(), time.monotonic() + EACH_S))
            time.sleep(EACH_S)
            floods.append((time.monotonic(), time.monotonic() + EACH_S))
            if inbound:
                room.flood(alice, "IN", int(IN_PER_S * EACH_S), per_s=IN_PER_S, size_bytes=IN_BYTES)
            asked += flooder.flood(EACH_S)
        if inbound:  # the last of them may be on their way
            many = WINDOWS * int(IN_PER_S * EACH_S)
            wait_until(lambda: device.status()["messaging"]["received"] >= many, GUARD_S, "what was said")
        status = device.status()
        said = device.stop()
        assert said["exit"] == 0
        assert (status["session"]["epoch"], status["faults"]) == (1, [])
        if inbound:
            assert status["messaging"]["received"] == many
    heard = Heard(room, said["start_s"], said["frame_s"])
    went = room.call(0).messages_in
    between = max(info.most_between_media for info in room.connections())
    run = Run(heard, quiet, floods, asked, went, between)
    return run, said["start_s"], said["frame_s"]


def p99(values: NDArray[np.float64]) -> float:
    return float(np.percentile(values, 99))


def test_on_loopback_a_flood_both_ways_leaves_the_audio_its_cadence(tmp_path: Path, figures: Figures) -> None:
    with StandIn(tls=True) as room:
        run, start_s, frame_s = flooded(tmp_path, room, (), inbound=True)
    quiet, flood = p99(run.gaps_ms(run.quiet)), p99(run.gaps_ms(run.floods))
    figures.add("flood_uplink_gap_p99_quiet_ms", quiet)
    figures.add("flood_uplink_gap_p99_ms", flood)
    figures.add("flood_messages_asked_per_s", run.asked / (WINDOWS * EACH_S))
    figures.add("flood_messages_sent_per_s", run.went / (WINDOWS * EACH_S))
    assert figures.add("flood_frames_lost_percent", run.lost_percent(start_s, frame_s), max=1)
    assert figures.add("flood_messages_between_two_media_frames", run.most_between_media, max=1, min=1)
    assert figures.add("flood_uplink_gap_p99_ratio", flood / quiet, max=1.5)


@pytest.mark.root
@pytest.mark.parametrize("kbit_per_s", [512, pytest.param(320, marks=pytest.mark.full)])
def test_on_a_narrow_way_messages_take_what_the_audio_leaves(tmp_path: Path, figures: Figures, kbit_per_s: int) -> None:
    if reason := narrow.why_not():
        pytest.skip(reason)
    with (
        NarrowNamespace(kbit_per_s) as namespace,
        StandIn(tls=True, host=namespace.far_address, tls_names=[namespace.far_address]) as room,
    ):
        run, start_s, frame_s = flooded(tmp_path, room, namespace.command([]), inbound=False)
    judge(run, figures, f"at_{kbit_per_s}kbit", run.lost_percent(start_s, frame_s), age_max_ms=512 / kbit_per_s * 200)


@pytest.mark.full
def test_behind_a_proxy_that_takes_all_at_once_they_make_no_queue_either(tmp_path: Path, figures: Figures) -> None:
    """It acknowledges for the far end, so that what waits in it is out of sight."""
    with StandIn() as room, FaultProxy(room.port) as proxy:
        room.configure(public_base=f"http://127.0.0.1:{proxy.port}")
        proxy.throttle(512)
        run, start_s, frame_s = flooded(tmp_path, room, (), inbound=False)
    judge(run, figures, "behind_a_512kbit_proxy", run.lost_percent(start_s, frame_s), age_max_ms=200)


def judge(run: Run, figures: Figures, where: str, lost_percent: float, age_max_ms: float) -> None:
    """`age_max_ms` bounds the 99 % quantile: what a message of 8 KB takes on such a way, and the room before it."""
    figures.add(f"media_age_p99_quiet_{where}_ms", p99(run.ages_ms(run.quiet)))
    figures.add(f"messages_sent_under_flood_{where}_per_s", run.went / (WINDOWS * EACH_S))
    assert run.went > WINDOWS, "messages are not starved"
    assert figures.add(f"messages_between_two_media_frames_max_{where}", run.most_between_media, max=1, min=1)
    assert figures.add(f"media_frames_lost_under_flood_{where}_percent", lost_percent, max=1)
    assert figures.add(f"media_age_p99_under_flood_{where}_ms", p99(run.ages_ms(run.floods)), max=age_max_ms)
