"""`scripts/bench start`: from the start of the process to its first frame of audio at the service, and the processor
time for that, beside an interpreter that only imports two libraries."""

from __future__ import annotations

import argparse
import contextlib
import operator
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table

from tests.bench.costs.call import REPO, busy_room, device_files, environment
from tests.bench.costs.options import add_command, named_quick
from tests.rig.figures import Figures
from tests.rig.process import end
from tests.standin.client import StandIn

if TYPE_CHECKING:
    from tests.bench.costs.options import Commands

STARTS, QUICK_STARTS = 9, 1
START_S: Final = 0.6
CPU_RATIO: Final = 1.5
LOOPED: Final = REPO / "tests/bench/peers/looped_device.py"
_IMPORTS: Final = "import requests, websocket"
_LOOK_S: Final = 0.002
_GUARD_S: Final = 20.0


def add_to(commands: Commands) -> None:
    """The sub-command."""
    parser = add_command(
        commands,
        "start",
        measure,
        "process start to first frame",
        "Starts the daemon with sound devices in memory, plain and over TLS, and measures from just before that to its "
        "first frame of audio at the service: time, and processor time. In turns with an interpreter that does nothing "
        f"but “{_IMPORTS}”.",
    )
    parser.add_argument("--starts", type=int, help=f"of each (default {STARTS})")


def measure(arguments: argparse.Namespace, console: Console) -> Figures:
    """Medians over all starts; one start of each before that warms compiled modules and files."""
    starts = arguments.starts or (QUICK_STARTS if arguments.quick else STARTS)
    took_s: dict[str, list[float]] = {"plain": [], "tls": []}
    cpu_s: dict[str, list[float]] = {"plain": [], "tls": [], "imports": []}
    with busy_room(tls=False) as (plain, _), busy_room(tls=True) as (secure, _):
        for turn in range(starts + 1):
            for name, room in (("plain", plain), ("tls", secure)):
                first_s, spent_s = _first_frame(room)
                if turn:
                    took_s[name].append(first_s)
                    cpu_s[name].append(spent_s)
            spent_s = _imports()
            if turn:
                cpu_s["imports"].append(spent_s)
    figures = Figures()
    imports_ms = statistics.median(cpu_s["imports"]) * 1000
    figures.add("start_imports_cpu_ms", imports_ms)
    table = Table(title=f"process start to first frame, medians of {starts}", title_justify="left")
    for heading in ("ms", "first frame", "slowest", "processor", "of imports"):
        table.add_column(heading, justify="left" if heading == "ms" else "right")
    table.add_row(_IMPORTS, "", "", f"{imports_ms:.0f}", "1.00")
    for name, times_s in took_s.items():
        first_ms, spent_ms = statistics.median(times_s) * 1000, statistics.median(cpu_s[name]) * 1000
        # Turn by turn: a machine that is slower for a while is so for both.
        ratio = statistics.median(map(operator.truediv, cpu_s[name], cpu_s["imports"]))
        figures.add(f"start_{name}_first_frame_s", first_ms / 1000, max=START_S)
        figures.add(f"start_{name}_first_frame_slowest_s", max(times_s))
        figures.add(f"start_{name}_cpu_ms", spent_ms)
        figures.add(f"start_{name}_cpu_of_imports_ratio", ratio, max=CPU_RATIO)
        slowest_ms = max(times_s) * 1000
        numbers = (f"{first_ms:.0f}", f"{slowest_ms:.0f}", f"{spent_ms:.0f}", f"{ratio:.2f}")
        table.add_row(f"the daemon, {name}", *numbers)
    console.print(table)
    return named_quick(figures) if arguments.quick else figures


def _first_frame(room: StandIn) -> tuple[float, float]:
    """From the start of a daemon to its first frame: seconds, and processor seconds of it and its children."""
    calls = len(room.calls())
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        command: list[str | Path] = [sys.executable, LOOPED, *device_files(room, folder)]
        began_s = time.monotonic()
        process = subprocess.Popen(command, cwd=REPO, env=environment(folder), stderr=subprocess.DEVNULL)
        try:
            looks = _watch(process.pid, room, calls, began_s)
            first_s = float(room.received(calls).times_s[0])
        finally:
            end(process)
    # What it had spent at the first look at or after the frame: never less than at the frame itself.
    spent_s = next(spent_s for looked_s, spent_s in looks if looked_s >= first_s)
    return first_s - began_s, spent_s


def _watch(pid: int, room: StandIn, call: int, began_s: float) -> list[tuple[float, float]]:
    """(when, processor time by then), every 2 ms until the service has a frame."""
    looks = []
    children_s: dict[int, float] = {}
    next_question_s = began_s + 0.1
    while (now := time.monotonic()) < began_s + _GUARD_S:
        looks.append((now, _spent_s(pid) + _children_s(pid, children_s)))
        if now >= next_question_s:
            with contextlib.suppress(RuntimeError):  # no such call so far
                if room.call(call).received_frames:
                    looks.append((time.monotonic(), _spent_s(pid) + sum(children_s.values())))
                    return looks
            next_question_s = time.monotonic() + 0.05
        time.sleep(_LOOK_S)
    raise TimeoutError(f"no frame within {_GUARD_S:g} s")


def _spent_s(pid: int) -> float:
    """On a processor so far, threads that have ended included: clock_getcpuclockid(3), which Python has not."""
    return time.clock_gettime(~pid << 3 | 2)


def _children_s(pid: int, known_s: dict[int, float]) -> float:
    """What the children of its main thread have spent, by the last look while each lived: kept in `known_s`."""
    for child in map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
        with contextlib.suppress(OSError):  # it has just ended
            known_s[child] = _spent_s(child)
    return sum(known_s.values())


def _imports() -> float:
    """Processor seconds of an interpreter that only imports."""
    process = subprocess.Popen([sys.executable, "-c", _IMPORTS], cwd=REPO, env=environment(REPO))
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"“{_IMPORTS}” failed")
    return usage.ru_utime + usage.ru_stime
