"""How often a call wakes a small device's processor: the daemon with sound devices in memory, both directions busy."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from tests.rig.figures import Figures
from tests.rig.memory_device import MemoryDevice, device_config
from tests.rig.speech import TEXTS, speak
from tests.standin.client import StandIn

WATCHED_S = 20.0
PER_S = 220


def switches(pid: int) -> int:
    """How often the threads of a process were taken from a processor so far, of themselves or not (proc(5))."""
    statuses = []
    for path in Path(f"/proc/{pid}/task").glob("*/status"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread may have ended meanwhile
            statuses.append(path.read_text())
    return sum(int(line.split()[1]) for text in statuses for line in text.splitlines() if "ctxt_switches" in line)


def test_a_call_wakes_the_processor_seldom(tmp_path: Path, figures: Figures) -> None:
    with StandIn(tls=True) as room:
        config = device_config(room.base_url, room.token, room.ca_file, tmp_path)
        config["log"] = {"level": "info"}
        with MemoryDevice(tmp_path, config) as device:
            room.wait_joined()
            room.say(room.add("Ann"), speak(TEXTS[0]).tobytes(), loop=True)
            time.sleep(2.0)
            before, counted = device.status(), switches(device.process.pid)
            began_s = time.monotonic()
            time.sleep(WATCHED_S)
            per_s = (switches(device.process.pid) - counted) / (time.monotonic() - began_s)
            after = device.status()
            assert device.stop()["exit"] == 0
    for way in ("uplink", "downlink"):
        assert after[way]["frames"] - before[way]["frames"] > 45 * WATCHED_S, way
    assert figures.add("duplex_wakeups_per_s", per_s, max=PER_S)
