"""What `scripts/bench audio` shows on a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import Console
from rich.table import Table

from tests.bench.audio import Result
from tests.bench.traces import description
from tests.rig.figures import Figures

_HEADING = "player  PESQ least delay  95 % device filled dropped speech dry clicks less more"
_LEGEND = (
    "PESQ: mean and least of all utterances. delay: mean and 95 %, ms, and what of it lies in the device's queue. "
    "filled, dropped: ms made up for missing sound, and thrown away; speech: ms of it that nobody heard. "
    "Then how often it ran dry, clicked, made the sound shorter and longer."
)
_FIRST_CLICKS = 8


def tell(console: Console, result: Result) -> None:
    """One job has ended."""
    verdict = result.verdict
    console.print(
        f"[dim]{result.job.trace:>11} {result.job.player:<6}[/] PESQ {_number(verdict.pesq_mean, 2)}, "
        f"delay {verdict.delay_mean_ms:.0f} ms, {len(verdict.clicks_s)} clicks",
        highlight=False,
    )


def show(console: Console, results: Sequence[Result]) -> None:
    """For each trace a table with the players as rows."""
    for name, of_trace in groupby(results, key=lambda result: result.job.trace):
        for line in _lines(name, list(of_trace)):
            console.print(line, highlight=False)
    console.print(f"[dim]{_LEGEND}[/]", highlight=False)


def show_bounds(console: Console, figures: Figures) -> None:
    """What is promised, and whether it was kept. Nothing where nothing is."""
    if not figures.bounds:
        return
    table = Table(title="what is promised", title_justify="left")
    for heading in ("figure", "value", "bound", ""):
        table.add_column(heading, justify="right" if heading == "value" else "left")
    for name, bound in figures.bounds.items():
        verdict = "[green]met[/]" if bound.met else "[bold red]MISSED[/]"
        table.add_row(name, f"{bound.value:.3f}".rstrip("0").rstrip("."), str(bound), verdict)
    console.print(table)


def _lines(name: str, results: Sequence[Result]) -> Iterator[str]:
    job = results[0].job
    heard = f"PESQ of {results[0].utterances} utterances" if results[0].utterances else "no PESQ"
    yield f"[bold]{name}[/], {job.seconds / 60:.0f} min, {heard}. {description(name)}"
    yield f"[dim]{_HEADING}[/]"
    for result in results:
        verdict, counts = result.verdict, result.verdict.counts
        pesq = f"{_number(verdict.pesq_mean, 3):>5} {_number(verdict.pesq_min, 2):>5}"
        yield (
            f"{result.job.player:<6} {pesq} {verdict.delay_mean_ms:5.0f} "
            f"{verdict.delay_p95_ms:5.0f} {verdict.device_mean_ms:6.0f} {counts.concealed_ms:6.0f} "
            f"{counts.dropped_ms:7.0f} {verdict.speech_lost_ms:6.0f} {counts.underruns:3} {len(verdict.clicks_s):6} "
            f"{counts.accelerated:4} {counts.expanded:4}"
        )
    ours = next((result.verdict for result in results if result.job.player == "ours"), None)
    if ours is not None and ours.clicks_s:
        first = ", ".join(f"{at:.3f}" for at in ours.clicks_s[:_FIRST_CLICKS])
        more = len(ours.clicks_s) - _FIRST_CLICKS
        yield f"[red]clicks of ours at {first} s{f' and {more} more' if more > 0 else ''}[/]"
    yield ""


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "-"
