"""`scripts/bench load`: what messages and local programs add to the cost of a call, and what they do to its cadence."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from tests.bench.costs.call import Call, busy_call
from tests.bench.costs.options import add_command, named_quick
from tests.bench.costs.programs import Programs
from tests.rig.figures import Figures

if TYPE_CHECKING:
    from tests.bench.costs.options import Commands

SECONDS, QUICK_SECONDS = 10.0, 2.0
PER_S: Final = (1, 10, 100, 1000)
CLIENTS: Final = (1, 4, 16, 32)
_QUICK: Final = ((100,), (32,))
CLIENTS_PER_S: Final = 10
_TOPIC: Final = "LOAD"
_SETTLED_S: Final = 1.0
_FRAME_MS: Final = 20.0


@dataclass(frozen=True)
class Point:
    """One load, and what it cost."""

    kind: str
    """`in`: messages from the room to one local program; `out`: from one to the room; `clients`: to many."""
    number: int
    """Messages a second, or clients."""
    cpu_ms_per_s: dict[str, float]
    """By thread."""
    gap_error_p50_ms: float
    gap_error_p99_ms: float
    """How far apart from 20 ms two frames came in at the service, by the stand-in's own clock."""
    messages: dict[str, float]
    """What became of the messages, by the name of a figure."""

    @property
    def name(self) -> str:
        """Of its figures."""
        return f"load_clients_{self.number}" if self.kind == "clients" else f"load_{self.kind}_{self.number}_per_s"

    @property
    def total_cpu_ms_per_s(self) -> float:
        """Of all threads."""
        return sum(self.cpu_ms_per_s.values())


def add_to(commands: Commands) -> None:
    """The sub-command."""
    parser = add_command(
        commands,
        "load",
        measure,
        "messages and local programs beside audio",
        "Measures the daemon in a call with sound devices in memory, both directions busy, with 0 to 1000 messages a "
        "second each way and with 1 to 32 local programs that listen: processor time, by thread, and the cadence.",
    )
    parser.add_argument("--seconds", type=float, help=f"of each point (default {SECONDS:g})")
    parser.add_argument("--tls", action="store_true", help="over TLS")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw it")


def measure(arguments: argparse.Namespace, console: Console) -> Figures:
    """One call, all points one after the other."""
    seconds = arguments.seconds or (QUICK_SECONDS if arguments.quick else SECONDS)
    points = []
    with busy_call(arguments.tls) as call:
        for point in _points(call, seconds, *(_QUICK if arguments.quick else (PER_S, CLIENTS))):
            points.append(point)
            console.print(f"[dim]{point.name:<22} {point.total_cpu_ms_per_s:6.1f} ms/s[/]", highlight=False)
    figures = Figures()
    for point in points:
        _add(figures, point)
    console.print(_table(points))
    if arguments.plot:
        from tests.bench.costs import load_plot  # takes a second, which nobody else should wait for

        load_plot.write_plot(arguments.plot, points)
        console.print(f"cost and cadence against load: {arguments.plot}", highlight=False)
    return named_quick(figures) if arguments.quick else figures


def _points(call: Call, seconds: float, rates_per_s: Sequence[int], crowds: Sequence[int]) -> Iterator[Point]:
    yield _measured(call, "in", 0, seconds)
    with Programs(call.socket, _TOPIC, "listen", "1") as listeners:
        for per_s in rates_per_s:
            yield _from_the_room(call, "in", per_s, listeners, per_s, seconds)
    with Programs(call.socket, _TOPIC, "publish") as publisher:
        for per_s in rates_per_s:
            yield _to_the_room(call, publisher, per_s, seconds)
    for clients in crowds:
        with Programs(call.socket, _TOPIC, "listen", str(clients)) as listeners:
            yield _from_the_room(call, "clients", clients, listeners, CLIENTS_PER_S, seconds)


def _from_the_room(call: Call, kind: str, number: int, listeners: Programs, per_s: int, seconds: float) -> Point:
    time.sleep(_SETTLED_S)  # the room has been told of the topic
    heard, came = listeners.ask(), _messages(call)[1]
    call.room.flood(call.speaker, _TOPIC, round(per_s * (seconds + 2 * _SETTLED_S)), per_s=per_s)
    time.sleep(_SETTLED_S)
    point = _measured(call, kind, number, seconds)
    time.sleep(2 * _SETTLED_S)  # the rest of them
    clients = number if kind == "clients" else 1
    point.messages["unheard"] = (_messages(call)[1] - came) * clients - (listeners.ask() - heard)
    return point


def _to_the_room(call: Call, publisher: Programs, per_s: int, seconds: float) -> Point:
    publisher.tell(f"{per_s} {seconds + 2 * _SETTLED_S}")
    time.sleep(_SETTLED_S)
    point = _measured(call, "out", per_s, seconds)
    point.messages.update(publisher.answer())
    return point


def _measured(call: Call, kind: str, number: int, seconds: float) -> Point:
    first, said, look = call.frames()[0], _messages(call), call.look()
    time.sleep(seconds)
    used, said_by_then = call.look().since(look), _messages(call)
    times_s = call.room.received(call.index, first).times_s
    errors_ms = np.abs(np.diff(times_s) * 1000 - _FRAME_MS)
    cpu_ms_per_s = {thread.name: thread.cpu_s * 1000 / used.seconds for thread in used.threads}
    to_room, from_room = ((after - before) / used.seconds for before, after in zip(said, said_by_then, strict=True))
    messages = {"to_the_room_per_s": to_room} if kind == "out" else {"from_the_room_per_s": from_room}
    p50_ms, p99_ms = (float(np.percentile(errors_ms, share)) for share in (50, 99))
    return Point(kind, number, cpu_ms_per_s, p50_ms, p99_ms, messages)


def _messages(call: Call) -> tuple[int, int]:
    """So far at the service: (to the room, from the room)."""
    info = call.room.call(call.index)
    return info.messages_in, info.messages_out


def _add(figures: Figures, point: Point) -> None:
    figures.add(f"{point.name}_cpu_ms_per_s", point.total_cpu_ms_per_s)
    for thread, cpu_ms_per_s in point.cpu_ms_per_s.items():
        figures.add(f"{point.name}_{thread}_cpu_ms_per_s", cpu_ms_per_s)
    figures.add(f"{point.name}_gap_error_p50_ms", point.gap_error_p50_ms)
    figures.add(f"{point.name}_gap_error_p99_ms", point.gap_error_p99_ms)
    for what, value in point.messages.items():
        figures.add(f"{point.name}_{what}", value)


def _table(points: list[Point]) -> Table:
    title = f"cost against load: processor time in ms/s, gap errors in ms; {CLIENTS_PER_S}/s to each client"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    for heading in ("load", "all", "audio", "main", "control", "50 %", "99 %", "messages"):
        table.add_column(heading, justify="left" if heading in ("load", "messages") else "right", no_wrap=True)
    for point in points:
        beside = [point.cpu_ms_per_s.get(thread, 0.0) for thread in ("main", "control")]
        costs = (point.total_cpu_ms_per_s, point.total_cpu_ms_per_s - sum(beside), *beside)
        gaps = (point.gap_error_p50_ms, point.gap_error_p99_ms)
        numbers = [f"{cost:.1f}" for cost in costs] + [f"{gap:.2f}" for gap in gaps]
        table.add_row(_load(point), *numbers, _what_became(point.messages))
    return table


def _load(point: Point) -> str:
    if point.kind == "clients":
        return f"{point.number} clients"
    return f"{point.number}/s {point.kind}" if point.number else "none"


def _what_became(messages: dict[str, float]) -> str:
    rates = {
        "to_the_room_per_s": "sent",
        "from_the_room_per_s": "came",
        "refused_per_s": "refused",
        "unread_per_s": "not read",
    }
    said = [f"{messages[name]:.0f}/s {what}" for name, what in rates.items() if messages.get(name)]
    return ", ".join([*said, f"{messages['unheard']:.0f} unheard"] if messages.get("unheard") else said)
