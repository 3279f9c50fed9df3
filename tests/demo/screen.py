"""What a spectator sees of the demo: a live panel on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io
import math
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tests.demo.scene import Moment

_BAR = 30
_FLOOR_DB = -60.0
_LINE_EVERY_S = 5.0
_STATE_STYLE = {"streaming": "bold green", "waiting": "bold red", "creating": "yellow", "connecting": "yellow"}


class Screen:
    """A context manager; `watch` and `say` are what `scene.run` wants."""

    def __init__(self, console: Console, picture: Path | None = None) -> None:
        """`picture`: an SVG file for the panel as it stands while both talk."""
        self._console = console
        self._picture = picture
        self._live = Live(console=console, refresh_per_second=8, transient=True) if console.is_terminal else None
        self._start_s = time.monotonic()
        self._next_line_s = 0.0

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def say(self, text: str) -> None:
        """Something happened."""
        line = f"[dim]{time.monotonic() - self._start_s:6.1f} s[/]  {escape(text)}"
        self._console.print(line, highlight=False, soft_wrap=True)

    def watch(self, moment: Moment) -> None:
        """How things stand."""
        if self._picture and moment.room_level > 0.05 and moment.speaker_level > 0.05 and moment.status:
            paper = Console(record=True, width=100, file=io.StringIO())
            paper.print(_panel(moment))
            paper.save_svg(str(self._picture), title="scripts/demo")
            self._picture = None
        if self._live:
            self._live.update(_panel(moment))
        elif moment.elapsed_s >= self._next_line_s:
            self._next_line_s += _LINE_EVERY_S
            self.say(_line(moment))


def _line(moment: Moment) -> str:
    state = moment.status["state"] if moment.status else "no answer"
    frames = (moment.status["uplink"]["frames"], moment.status["downlink"]["frames"]) if moment.status else (0, 0)
    return (
        f"{state}, {frames[0]} frames up, {frames[1]} down; "
        f"room hears {_db(moment.room_level):.0f} dBFS, speaker {_db(moment.speaker_level):.0f} dBFS"
    )


def _panel(moment: Moment) -> Panel:
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", style="dim")
    table.add_column()
    status = moment.status
    state = status["state"] if status else "no answer"
    reason = f"  {status['reason']}" if status else ""
    table.add_row("device", Text.assemble((state, _STATE_STYLE.get(state, "yellow")), (reason[:80], "dim")))
    table.add_row("network", Text("cut", "bold red") if moment.cut else Text("up", "green"))
    table.add_row("room hears", _meter(moment.room_level))
    table.add_row("speaker", _meter(moment.speaker_level))
    if status:
        up, down = status["uplink"], status["downlink"]
        table.add_row(
            "uplink",
            f"{up['frames']} frames, {up['dropped']} dropped, {up['latency_ms']['p50']:.1f} ms p50, "
            f"{up['latency_ms']['p95']:.1f} ms p95",
        )
        table.add_row(
            "downlink",
            f"{down['frames']} frames, {down['delay_ms']:.0f} ms queued, {down['underruns']} underruns",
        )
        session = status["session"]
        table.add_row("session", f"number {session['epoch']}, call {session['call_id'] or '-'}")
    title = f"ingestd demo  {moment.elapsed_s:4.1f} of {moment.seconds:.0f} s"
    return Panel(Group(table), title=title, width=100)


def _db(level: float) -> float:
    return 20 * math.log10(level) if level > 1e-6 else -120.0


def _meter(level: float) -> Text:
    filled = round(_BAR * max(0.0, 1 - _db(level) / _FLOOR_DB))
    return Text("█" * filled, "green") + Text("░" * (_BAR - filled), "dim") + Text(f" {_db(level):6.1f} dBFS")
