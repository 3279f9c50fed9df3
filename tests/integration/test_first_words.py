"""The microphone is open before the handshake: the first thing the room hears of a connection is what is said now."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.rig.figures import Figures
from tests.rig.memory_device import MemoryDevice, device_config
from tests.rig.memory_ports import frame_numbers
from tests.rig.process import wait_until
from tests.standin.client import SocketFault, StandIn

pytestmark = pytest.mark.calm

CONNECTIONS = 6
GUARD_S = 30.0


@pytest.mark.timeout(120)
def test_every_connection_begins_with_the_newest_frame(tmp_path: Path, figures: Figures) -> None:
    with StandIn(tls=True) as room:
        config = device_config(room.base_url, room.token, room.ca_file, tmp_path)
        with MemoryDevice(tmp_path, config) as device:
            for number in range(CONNECTIONS):
                wait_until(lambda wanted=number + 1: len(room.calls()) >= wanted, GUARD_S, "a session")  # type: ignore[misc]
                room.wait_received(number, 40 + 7 * number)  # not always as many, to break off anywhere
                if number < CONNECTIONS - 1:
                    room.inject(SocketFault("abort"))
            status = device.counted_status()
            said = device.stop()
        starts_s = {c.call_id: c.started_s for c in room.connections()}
        kept = {call.call_id: room.received(call.call_id) for call in room.calls()}
    assert status["session"]["reconnects"] == CONNECTIONS - 1
    assert len(kept) == CONNECTIONS

    ages_ms, behind, waits_ms = [], [], []
    for call_id, frames in kept.items():
        started_s = starts_s[call_id]
        assert started_s is not None
        numbers = frame_numbers(frames.samples.reshape(-1, 160))
        assert np.all(numbers > 0), "no silence, no torn frame"
        assert np.all(np.diff(numbers) == 1)
        newest_at_start = int((started_s - said["start_s"]) / said["frame_s"])
        behind.append(newest_at_start - int(numbers[0]))
        ages_ms.append((frames.times_s[0] - (said["start_s"] + numbers[0] * said["frame_s"])) * 1000)
        waits_ms.append((frames.times_s[0] - started_s) * 1000)
    figures.add("first_frame_age_p50_ms", float(np.median(ages_ms)))
    assert figures.add("first_frame_age_max_ms", max(ages_ms), max=60)
    figures.add("first_frame_after_start_max_ms", max(waits_ms))
    assert figures.add("first_frame_behind_newest_max_frames", max(behind), max=1)
