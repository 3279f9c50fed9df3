"""What a soak shows on a terminal."""

from __future__ import annotations

import math
import time

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.rig.figures import Figures
from tests.soak import judging, promises
from tests.soak.records import Evidence

_SHOWN = 5
_HIDDEN = "…"


def say(console: Console, text: str) -> None:
    """Something happened; the time is the one in the daemon's log."""
    console.print(f"[dim]{time.strftime('%H:%M:%S')}[/]  {escape(text)}", highlight=False, soft_wrap=True)


def show(console: Console, evidence: Evidence, figures: Figures) -> None:
    """The faults by kind, what else was found, and the bounds."""
    console.print(_of_kinds(evidence))
    for name, why in sorted(evidence.missing.items()):
        console.print(f"[dim]{name} never struck: {escape(why)}[/]", highlight=False)
    if evidence.before and evidence.after and (more := evidence.after.more_than(evidence.before)):
        console.print(f"[red]held in the last quiet spell, against the first: {escape(more)}[/]", highlight=False)
    fifths = judging.medians_of_fifths(evidence.memory, evidence.begin_s, evidence.end_s)
    held = " ".join(f"{bytes_ / (1 << 20):.2f}" for bytes_ in fifths)
    console.print(f"memory of its own, MiB, in each fifth of the run: {held}", highlight=False)
    late = figures.values["soak_late_frames"]
    console.print(f"frames heard more than {promises.LATE_S:g} s late: {late:.0f}", highlight=False)
    if "soak_memory_growth_kib" not in figures.bounds:
        console.print("[dim]too short to judge memory by: that takes 8 minutes[/]", highlight=False)
    for line in promises.bugs(evidence)[:_SHOWN]:
        console.print(f"[red]{escape(line)}[/]", highlight=False)
    for words in promises.secrets_seen(evidence)[:_SHOWN]:
        console.print(f"[red]a secret can be read after: {escape(words[:40])}{_HIDDEN}[/]", highlight=False)
    console.print(_bounds(figures))


def _of_kinds(evidence: Evidence) -> Table:
    table = Table(title="faults by kind: time to be well again, s", title_justify="left")
    table.add_column("kind")
    for heading in ("faults", "p50", "p95", "max", "there %", "sessions"):
        table.add_column(heading, justify="right")
    for kind in promises.kinds(evidence):
        times = (_seconds(seconds) for seconds in (kind.p50_s, kind.p95_s, kind.max_s))
        table.add_row(kind.name, str(kind.faults), *times, f"{kind.availability_percent:.1f}", f"{kind.sessions:.1f}")
    return table


def _bounds(figures: Figures) -> Table:
    table = Table(title="what is promised", title_justify="left")
    for heading in ("figure", "value", "bound", ""):
        table.add_column(heading, justify="right" if heading == "value" else "left")
    for name, bound in figures.bounds.items():
        verdict = "[green]met[/]" if bound.met else "[bold red]MISSED[/]"
        table.add_row(name, f"{bound.value:.3f}".rstrip("0").rstrip("."), str(bound), verdict)
    return table


def _seconds(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "never"
