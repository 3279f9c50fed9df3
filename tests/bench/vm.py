"""`scripts/bench vm`: what the daemon costs on a kernel's own ALSA, beside the floor program, in a virtual machine.

Python is some 15 times slower there than here: a small device. All figures are of the guest, by its own clock.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from rich.console import Console
from rich.table import Table

from tests.bench.vm_rounds import FLOOR, OURS, Recorded, Round, record
from tests.rig.figures import Figures
from tests.rig.vm.device import Task
from tests.rig.vm.image import why_not

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # which argparse has no public name for

FRAME_S: Final = 0.02
START_S: Final = 10.0
"""From the start of the process to the first frame, at most."""
THREADS: Final = {FLOOR: ("sender", "receiver"), OURS: ("main", "capture", "receiver", "sender", "control")}
"""In the order in which they are started (ours: `ingestd/daemon.py`); before 3.14 Python does not tell their names."""
COLUMNS: Final = {
    "CPU ms/s": "cpu_ms_per_s",
    "wake-ups/s": "wakeups_per_s",
    "interrupted/s": "interruptions_per_s",
    "gap error p50 ms": "gap_error_p50_ms",
    "p99 ms": "gap_error_p99_ms",
    "peak RSS MiB": "peak_rss_mib",
}
TOLD: Final = (
    "vm_cpu_ratio",
    "vm_capture_xruns",
    "vm_playback_underruns",
    "vm_guest_xruns",
    "vm_host_stalled_s",
    "vm_start_to_first_frame_s",
)


def add_to(commands: Commands) -> None:
    """Adds the sub-command."""
    parser = commands.add_parser(
        "vm",
        help="the daemon on kernel ALSA beside the floor program, in a virtual machine",
        description="Boots Debian 13 with a kernel's own sound card, and measures the floor program and the installed "
        "package in turns: processor time, wake-ups, gaps between frames, xruns, memory, and how soon it streams.",
    )
    parser.set_defaults(measure=measure)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="of each (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=20.0, metavar="S", help="a round (default %(default)s)")


def measure(arguments: argparse.Namespace, console: Console) -> Figures:
    """Measures, shows, and returns the figures."""
    if reason := why_not():
        raise SystemExit(f"the virtual machine {reason}")
    recorded = record(
        arguments.rounds, arguments.seconds, lambda step: console.print(f"[dim]{step}[/]", highlight=False)
    )
    figures = Figures()
    add_figures(figures, recorded)
    _show(console, figures)
    return figures


def add_figures(figures: Figures, recorded: Recorded) -> None:
    """The medians of the rounds, and each round's for whoever doubts them."""
    by_contender = {name: [each for each in recorded.rounds if each.contender == name] for name in (FLOOR, OURS)}
    for contender, rounds in by_contender.items():
        told = [of_round(each) for each in rounds]
        for name in told[0]:
            values = [each[name] for each in told]
            low, high = (49.0, 51.0) if name.endswith("frames_per_s") else (None, None)
            figures.add(f"vm_{contender}_{name}", float(np.median(values)), min=low, max=high)
            for number, value in enumerate(values, 1):
                figures.add(f"vm_round_{number}_{contender}_{name}", value)
    costs = [[of_round(each)["cpu_ms_per_s"] for each in rounds] for rounds in by_contender.values()]
    figures.add("vm_cpu_ratio", float(np.median([ours / floor for floor, ours in zip(*costs, strict=True)])))
    ours = by_contender[OURS]
    figures.add("vm_capture_xruns", sum(each.capture_xruns for each in ours))
    figures.add("vm_playback_underruns", sum(each.playback_underruns for each in ours))
    figures.add("vm_guest_xruns", recorded.guest_xruns)
    figures.add("vm_host_stalled_s", recorded.stalled_s)
    starts_s = [each.arrivals_s[0] - each.started_s for each in ours]
    figures.add("vm_start_to_first_frame_s", float(np.median(starts_s)), max=START_S)


def of_round(each: Round) -> dict[str, float]:
    """What one round shows, by name."""
    seconds = each.after.at_s - each.before.at_s
    before = each.before.threads
    used = [
        Task(now.cpu_s - then.cpu_s, now.sleeps - then.sleeps, now.interruptions - then.interruptions)
        for then, now in ((before[thread], now) for thread, now in each.after.threads.items() if thread in before)
    ]
    inside = each.arrivals_s[(each.arrivals_s >= each.before.at_s) & (each.arrivals_s <= each.after.at_s)]
    errors_ms = np.abs(np.diff(inside) - FRAME_S) * 1000
    told = {
        "cpu_ms_per_s": sum(task.cpu_s for task in used) * 1000 / seconds,
        "wakeups_per_s": sum(task.sleeps for task in used) / seconds,
        "interruptions_per_s": sum(task.interruptions for task in used) / seconds,
        "gap_error_p50_ms": float(np.percentile(errors_ms, 50)),
        "gap_error_p99_ms": float(np.percentile(errors_ms, 99)),
        "peak_rss_mib": each.peak_rss_mib,
        "up_frames_per_s": len(inside) / seconds,
        "down_frames_per_s": each.played_frames / seconds,
    }
    for name, task in zip(THREADS[each.contender], used, strict=True):
        told[f"{name}_cpu_ms_per_s"] = task.cpu_s * 1000 / seconds
        told[f"{name}_wakeups_per_s"] = task.sleeps / seconds
    return told


def _show(console: Console, figures: Figures) -> None:
    table = Table(title="medians, by the guest's own clock", title_justify="left")
    for heading in ("", *(f"{name}" for name in COLUMNS)):
        table.add_column(heading, justify="right" if heading else "left")
    for contender in (FLOOR, OURS):
        table.add_row(contender, *(_number(figures.values[f"vm_{contender}_{name}"]) for name in COLUMNS.values()))
        for thread in THREADS[contender]:
            names = (f"vm_{contender}_{thread}_{name}" for name in COLUMNS.values())
            table.add_row(
                f"  {thread}", *(_number(figures.values[name]) if name in figures.values else "" for name in names)
            )
    console.print(table)
    for name in TOLD:
        console.print(f"{name:<28} {_number(figures.values[name]):>8}", highlight=False)


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
