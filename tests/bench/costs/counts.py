"""`scripts/bench counts`: what a frame costs in system calls, allocations and wake-ups, and what each is for."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table

from tests.bench.costs import allocations, syscalls
from tests.bench.costs.allocations import Line
from tests.bench.costs.call import FRAMES_PER_S, QUICK_SETTLED_S, SETTLED_S, Call, busy_call
from tests.bench.costs.options import add_command, named_quick
from tests.rig.figures import Figures

if TYPE_CHECKING:
    from tests.bench.costs.options import Commands

SECONDS, QUICK_SECONDS = 20.0, 2.0
WAKEUPS_PER_S: Final = 160.0
UP: Final = ("capture", "sender")
DOWN: Final = ("receiver",)
RARE: Final = 0.05
"""Allocations per frame pair: a module with fewer, two or three a second, needs no explanation."""
_LINES: Final = 40


def add_to(commands: Commands) -> None:
    """The sub-command."""
    parser = add_command(
        commands,
        "counts",
        measure,
        "system calls, allocations and wake-ups of a frame pair, and what each is for",
        "Counts the daemon's system calls (strace), what Python asks its allocators for (a hook in C) and its wake-ups "
        "in a call with sound devices in memory, both directions busy, plain and over TLS. A system call or a module "
        "that nobody has explained is an error.",
    )
    parser.add_argument("--seconds", type=float, help=f"of each measurement (default {SECONDS:g})")
    parser.add_argument("--lines", action="store_true", help="every line of code that allocates, not the first ones")


def measure(arguments: argparse.Namespace, console: Console) -> Figures:
    """Three times --seconds, plain and over TLS each."""
    figures = Figures()
    seconds = arguments.seconds or (QUICK_SECONDS if arguments.quick else SECONDS)
    settled_s = QUICK_SETTLED_S if arguments.quick else SETTLED_S
    for name, tls in (("plain", False), ("tls", True)):
        with busy_call(tls, settled_s) as call:
            _wakeups(figures, name, call, seconds)
            _syscalls(figures, console, name, syscalls.count(call.process.pid, call.threads(), seconds))
        lines, concealed = _count_allocations(tls, settled_s, seconds)
        figures.add(f"{name}_concealed_while_allocations_counted", concealed)
        _allocations(figures, console, name, lines, len(lines) if arguments.lines else _LINES)
    return named_quick(figures) if arguments.quick else figures


def _wakeups(figures: Figures, name: str, call: Call, seconds: float) -> None:
    frames, look = call.frames(), call.look()
    time.sleep(seconds)
    used = call.look().since(look)
    for thread in used.threads:
        figures.add(f"{name}_{thread.name}_cpu_ms_per_s", thread.cpu_s * 1000 / used.seconds)
    for way, before, after in zip(("up", "down"), frames, call.frames(), strict=True):
        figures.add(f"{name}_frames_{way}_per_s", (after - before) / used.seconds, min=49.0, max=51.0)
    figures.add(f"{name}_wakeups_per_s", used.switches_per_s(), max=WAKEUPS_PER_S)


def _syscalls(figures: Figures, console: Console, name: str, per_s: dict[tuple[str, str], float]) -> None:
    per_pair = {key: count / FRAMES_PER_S for key, count in per_s.items()}
    table = Table(title=f"system calls of a frame pair, {name}: {sum(per_pair.values()):.2f}", title_justify="left")
    for heading in ("thread", "call", "each pair", "for"):
        table.add_column(heading, justify="right" if heading == "each pair" else "left")
    figures.add(f"{name}_syscalls_per_frame_pair", sum(per_pair.values()))
    unexplained = 0
    for (thread, call), count in sorted(per_pair.items(), key=lambda item: (item[0][0], -item[1])):
        why = syscalls.purpose(thread, call) or ("seldom, and no row" if count < RARE else None)
        unexplained += why is None
        table.add_row(thread, call, f"{count:.3f}", why or "[bold red]nobody knows: a row in syscalls.py is missing[/]")
        figures.add(f"{name}_{thread}_{call}_per_frame_pair", count)
    figures.add(f"{name}_syscalls_unexplained", unexplained, max=0)
    console.print(table)


def _count_allocations(tls: bool, settled_s: float, seconds: float) -> tuple[list[Line], int]:
    """What was allocated, and how many gaps were filled meanwhile: on a busy machine some are, and each costs a lot."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        order = allocations.order(Path(folder), settled_s + 1.0, seconds)
        with busy_call(tls, settled_s, [str(order)]) as call:
            concealed = call.concealed()
            lines = allocations.counted(order, call.threads(), FRAMES_PER_S, seconds + 20.0)
            return lines, call.concealed() - concealed


def _allocations(figures: Figures, console: Console, name: str, lines: list[Line], shown: int) -> None:
    allocated = [line for line in lines if not line.resized]
    for what, threads in (("up", UP), ("down", DOWN)):
        ours = [line for line in allocated if line.thread in threads]
        figures.add(f"{name}_allocations_per_frame_{what}", sum(line.count for line in ours))
        figures.add(f"{name}_allocated_bytes_per_frame_{what}", sum(line.bytes for line in ours))
    beside = [line for line in allocated if line.thread not in (*UP, *DOWN)]
    figures.add(f"{name}_allocations_beside_per_frame_pair", sum(line.count for line in beside))
    resized = sum(line.count for line in lines if line.resized)
    figures.add(f"{name}_resizes_per_frame_pair", resized)
    total = f"{sum(line.count for line in allocated):.1f}, and {resized:.1f} resized"
    _modules(figures, console, name, f"allocations of a frame pair, {name}: {total}", lines)
    table = Table(title="lines that allocate most", title_justify="left")
    for heading in ("thread", "line", "in", "each pair", "bytes each"):
        table.add_column(heading, justify="right" if heading in ("each pair", "bytes each") else "left")
    for line in lines[:shown]:
        place = f"{line.module}:{line.line}"
        size = f"{line.bytes / line.count:.0f}"
        table.add_row(line.thread, place, line.function, f"{line.count:.2f}{'r' if line.resized else ' '}", size)
    console.print(table)


def _modules(figures: Figures, console: Console, name: str, title: str, lines: Iterable[Line]) -> None:
    table = Table(title=title, title_justify="left")
    for heading in ("thread", "module", "each pair", "bytes", "for"):
        table.add_column(heading, justify="right" if heading in ("each pair", "bytes") else "left")
    unexplained = 0
    for (thread, module), (count, size) in allocations.by_module(lines).items():
        if count < RARE:
            continue
        why = allocations.purpose(module)
        unexplained += why is None
        missing = "[bold red]nobody knows: a row in allocations.py is missing[/]"
        table.add_row(thread, module, f"{count:.2f}", f"{size:.0f}", why or missing)
        figures.add(f"{name}_allocations_{thread}_{_word(module)}_per_frame_pair", count)
    figures.add(f"{name}_allocations_unexplained", unexplained, max=0)
    console.print(table)


def _word(module: str) -> str:
    return module.removesuffix(".py").removeprefix("ingestd/").replace("/", "_").replace(" ", "_")
