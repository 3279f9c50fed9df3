"""The uplink in real time: the daemon with sound devices in memory, judged by when its frames reach the room."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from tests.rig.figures import Figures
from tests.rig.memory_device import MemoryDevice, device_config
from tests.rig.memory_ports import frame_numbers
from tests.standin.client import StandIn

MEASURED_S = 121


@pytest.mark.timeout(240)
@pytest.mark.parametrize("ppm", [80])
def test_frames_keep_the_microphones_clock(tmp_path: Path, figures: Figures, ppm: float) -> None:
    with StandIn() as room:
        config = device_config(room.base_url, room.token, room.ca_file, tmp_path)
        with MemoryDevice(tmp_path, config, ppm=ppm) as device:
            room.wait_joined()
            time.sleep(MEASURED_S + 2)
            status = device.status()
            said = device.stop()
        kept = room.received(0)
    assert said["exit"] == 0
    sizes = set(kept.sizes_bytes.tolist())
    assert sizes == {320}
    figures.add("uplink_frame_size_min_bytes", min(sizes), min=320)
    figures.add("uplink_frame_size_max_bytes", max(sizes), max=320)

    numbers = frame_numbers(kept.samples.reshape(-1, 160))
    assert np.all(np.diff(numbers) == 1), "every captured frame once, in order"
    times_s = kept.times_s[50:]  # the loop's first second is its own
    assert times_s[-1] - times_s[0] >= 119
    slope_s = np.polyfit(numbers[50:] - numbers[50], times_s - times_s[0], 1)[0]
    period_error_ppm = abs(slope_s / said["frame_s"] - 1) * 1e6
    gap_error_ms = np.abs(np.diff(times_s) - said["frame_s"]) * 1000
    age_ms = (times_s - (said["start_s"] + numbers[50:] * said["frame_s"])) * 1000
    figures.add("uplink_period_error_ppm", period_error_ppm, max=20)
    figures.add("uplink_gap_error_p50_ms", float(np.median(gap_error_ms)), max=0.5)
    figures.add("uplink_gap_error_p99_ms", float(np.percentile(gap_error_ms, 99)))
    figures.add("uplink_age_p50_ms", float(np.median(age_ms)))
    figures.add("uplink_age_p99_ms", float(np.percentile(age_ms, 99)))
    assert period_error_ppm <= 20
    assert np.median(gap_error_ms) <= 0.5
    assert status["uplink"]["dropped"] == 0
    assert status["uplink"]["silence"] == 0
    assert status["uplink"]["ppm"] == pytest.approx(ppm, abs=30)
