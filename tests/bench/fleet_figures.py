"""The figures of `scripts/bench fleet`, which of them are promised, and how they look on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.bench.fleet import AT_ONCE, FIXED, OURS, Result, Scenario
from tests.rig.figures import Figures

MOST_PERCENT_PER_S: Final = 5.0
"""Requests after the backend's return, of the fleet."""
LAST_BACK_S: Final = 60.0
"""Later than the backend's capacity would allow."""
_LEGEND: Final = (
    "The backend is away for five minutes, in which it refuses requests or is silent, and then serves so many percent "
    "of the fleet in a second. cut only: it was never away. site: a network came back, and all devices saw it. "
    "old: nobody was cut, but sessions of an hour that began within one minute have to be renewed, most of them while "
    "the backend is away; the devices stream on. token: nobody was cut, but all see a new token at once, while the "
    "backend is away or with nothing wrong. told: cut, and all told by 429 to wait 60 s. "
    "peak: most requests in any second after the return, in percent of the fleet; first s: those in the first second "
    "of the outage. half, all: seconds from the return, or from when a renewal was due after it, until so many stream "
    "by new sessions. refused: requests after the return that were one too many, in percent of the fleet; they cost "
    "the simulated backend nothing."
)


def add_figures(figures: Figures, results: Sequence[Result]) -> None:
    """Everything measured, and what is promised of ours after an outage of the backend."""
    for result in results:
        scenario = result.scenario
        name = f"fleet_{scenario.name}_" if scenario.name else "fleet_"
        promised = scenario in OURS
        peak = "peak_percent_per_s" if scenario in FIXED else "peak_requests_percent_per_s"
        figures.add(name + peak, result.peak_percent_per_s, max=MOST_PERCENT_PER_S if promised else None)
        figures.add(f"{name}first_second_percent", result.first_second_percent)
        figures.add(f"{name}half_back_s", result.half_back_s)
        figures.add(f"{name}all_back_s", result.all_back_s, max=_latest_s(scenario) if promised else None)
        figures.add(f"{name}refused_percent", result.refused_percent)


def curves(results: Sequence[Result]) -> list[tuple[str, Result]]:
    """What is worth drawing: the main outage by our policy, then by the fixed timers; each with its name."""
    of = {result.scenario.name: result for result in results}
    return [("ingestd", of[""]), ("fixed timer of 1 s", of["fixed_1s"]), ("fixed timer of 3 s", of["fixed_3s"])]


def _latest_s(scenario: Scenario) -> float:
    # Where there is no capacity to wait for, a minute has to do.
    served_s = 0.0 if scenario.capacity_percent is None else 100.0 / scenario.capacity_percent
    asked_s = 1.5 * scenario.retry_after_s if scenario.limiting else 0.0
    return served_s + asked_s + LAST_BACK_S


def tell(console: Console, result: Result) -> None:
    """One scenario has ended."""
    console.print(
        f"[dim]{result.scenario.title:<26}[/] {len(result.record.requests_s):>9,} requests, "
        f"all back {result.all_back_s:.1f} s after",
        highlight=False,
    )


def show(console: Console, results: Sequence[Result]) -> None:
    """One row for each scenario, in three groups."""
    table = Table()
    table.add_column("away, then back", no_wrap=True)
    for heading in ("peak", "first s", "half", "all", "refused"):
        table.add_column(heading, justify="right", no_wrap=True)
    for group in (OURS, AT_ONCE, FIXED):
        for result in results:
            if result.scenario in group:
                table.add_row(*_cells(result))
        table.add_section()
    console.print(table)
    console.print(f"[dim]{_LEGEND}[/]", highlight=False)


def _cells(result: Result) -> tuple[str, ...]:
    return (
        result.scenario.title,
        f"{result.peak_percent_per_s:.2f} %",
        f"{result.first_second_percent:.0f} %",
        f"{result.half_back_s:.1f} s",
        f"{result.all_back_s:.1f} s",
        f"{result.refused_percent:.0f} %",
    )
