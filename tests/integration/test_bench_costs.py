"""The bench of what a call costs in detail, run for seconds: it measures what it says it measures."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.costs import allocations
from tests.rig import netns

REPO = Path(__file__).resolve().parents[2]
THREADS = ("main", "capture", "receiver", "sender", "control")

PROGRAM = """\
import threading, time
from tests.bench.costs import device

counting, done = threading.Event(), threading.Event()

class Clock:
    monotonic = time.monotonic

    def sleep(seconds):
        if seconds != COUNTED_S:
            return time.sleep(seconds)
        counting.set()
        done.wait()

device.time = Clock

def work():
    counting.wait()
    kept = [bytes(1000) for _ in (None,) * 500]
    held = [None] * 1000
    nothing = kept[0]
    grown = bytearray(1000)
    grown += bytes(2000)
    done.set()

worker = threading.Thread(target=work)
worker.start()
device.count(ORDER)
worker.join()
print(worker.native_id)
"""

CHATTER = """\
set -e
while :; do
    ip link add chatter type veth peer name other
    ip link set chatter up
    sleep 0.1
    ip link delete chatter
    sleep 0.1
done
"""

pytestmark = pytest.mark.alone  # rates of the calls that are measured here


def bench(tmp_path: Path, command: str, *more: str | Path) -> dict[str, float]:
    """The figures of a quick run, without `quick_`."""
    path = tmp_path / f"{command}.json"
    line = [sys.executable, "-m", "tests.bench", command, "--quick", "--json", path, *more]
    ran = subprocess.run(line, cwd=REPO, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = json.loads(path.read_text())
    assert found["bounds"] == {}, "seconds prove nothing"
    return {name.removeprefix("quick_"): value for name, value in found["figures"].items()}


def test_a_start_ends_with_a_frame_at_the_service(tmp_path: Path) -> None:
    figures = bench(tmp_path, "start")
    for room in ("plain", "tls"):
        assert 0.0 < figures[f"start_{room}_first_frame_s"] == figures[f"start_{room}_first_frame_slowest_s"]
        ratio = figures[f"start_{room}_cpu_ms"] / figures["start_imports_cpu_ms"]
        assert figures[f"start_{room}_cpu_of_imports_ratio"] == pytest.approx(ratio)
        assert ratio > 0.2, "a daemon that hears and speaks has done more than that"


@contextlib.contextmanager
def changing_network() -> Iterator[None]:
    """A network apart, in which links come and go all the time, as where containers are started."""
    if reason := netns.why_not():
        pytest.skip(reason)
    with netns.Apart() as network, network.entered():
        chatter = network.spawn(["sh", "-c", CHATTER])  # ends with it
        yield
        assert chatter.poll() is None, "links came and went to the end"


@pytest.mark.root
def test_everything_that_a_frame_costs_is_counted_and_explained(tmp_path: Path) -> None:
    """Root, as only an ancestor's strace may come to a process elsewhere."""
    with changing_network():
        figures = bench(tmp_path, "counts")
    for room, out in (("plain", "sendto"), ("tls", "write")):
        assert figures[f"{room}_syscalls_unexplained"] == figures[f"{room}_allocations_unexplained"] == 0
        assert figures[f"{room}_sender_{out}_per_frame_pair"] == pytest.approx(1.0, abs=0.15)
        assert figures[f"{room}_capture_clock_nanosleep_per_frame_pair"] == pytest.approx(1.0, abs=0.15)
        assert figures[f"{room}_syscalls_per_frame_pair"] > 4, "each thread waits, and a frame goes each way"
        assert figures[f"{room}_main_recvfrom_per_frame_pair"] > 0.2, "the network's events were taken"
        assert figures[f"{room}_wakeups_per_s"] > 100, "a frame wakes two threads, and one more is capture's"
        for way in ("up", "down"):
            assert figures[f"{room}_frames_{way}_per_s"] == pytest.approx(50, abs=5)
            assert figures[f"{room}_allocations_per_frame_{way}"] > 1
            assert figures[f"{room}_allocated_bytes_per_frame_{way}"] > 320, "the frame itself"


def test_messages_and_programs_reach_each_other_beside_audio(tmp_path: Path) -> None:
    plot = tmp_path / "plots" / "load.png"
    figures = bench(tmp_path, "load", "--plot", plot)
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert figures["load_in_100_per_s_from_the_room_per_s"] == pytest.approx(100, rel=0.2)
    assert figures["load_in_100_per_s_unheard"] == 0
    assert figures["load_clients_32_unheard"] == 0
    assert figures["load_clients_32_from_the_room_per_s"] == pytest.approx(10, rel=0.3)
    assert figures["load_out_100_per_s_to_the_room_per_s"] == pytest.approx(50, rel=0.2), "one between two frames"
    assert figures["load_out_100_per_s_refused_per_s"] > 20
    for load in ("load_in_0_per_s", "load_in_100_per_s", "load_out_100_per_s", "load_clients_32"):
        of_threads = [figures[f"{load}_{thread}_cpu_ms_per_s"] for thread in THREADS]
        assert figures[f"{load}_cpu_ms_per_s"] == pytest.approx(sum(of_threads))
        assert 0 < figures[f"{load}_gap_error_p50_ms"] <= figures[f"{load}_gap_error_p99_ms"]


def test_allocations_are_counted_by_thread_and_line(tmp_path: Path) -> None:
    order = allocations.order(tmp_path, 0.2, counted_s := 1.0)
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.replace("ORDER", repr(str(order))).replace("COUNTED_S", str(counted_s)))
    ran = subprocess.run(
        [sys.executable, str(program)], env={"PYTHONPATH": str(REPO)}, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    seconds = json.loads((tmp_path / "counted.json").read_text())["seconds"]
    texts = program.read_text().splitlines()
    found = {
        (texts[line.line - 1].strip(), line.resized): (round(line.count), line.bytes)
        for line in allocations.counted(order, {int(ran.stdout): "worker"}, 1 / seconds, 1.0)
        if (line.thread, line.function) == ("worker", "program")
    }
    count, size = found["kept = [bytes(1000) for _ in (None,) * 500]", False]
    assert 500 <= count < 520, "each of them, and what a loop takes"
    assert 500 * 1000 < size < 500 * 1100
    assert found["held = [None] * 1000", False][1] >= 8000
    assert ("nothing = kept[0]", False) not in found, "what makes no object allocates nothing"
    assert found["grown += bytes(2000)", True][0] == 1
