"""What `scripts/bench broker` shows on a terminal."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.bench.broker.coming_back import Return
from tests.bench.broker.kills import Outcome
from tests.bench.broker.load import Result
from tests.bench.broker.rates import CONNECTIONS, Rate, Rates
from tests.rig.figures import Figures

TITLES: Final = {
    "sqlite": "one broker, SQLite",
    "postgresql": "one broker, PostgreSQL",
    "replicas": "two brokers, PostgreSQL",
}
_OF_KILLS: Final = {
    "sqlite": "SQLite",
    "postgresql": "PostgreSQL",
    "postgresql_server": "PostgreSQL, its server too",
}
_WIDTH: Final = 120
"""Whatever the terminal's: a table that has lost its numbers says nothing."""


def tell_rates(console: Console, name: str, rates: Rates) -> None:
    """One scene's loads are over."""
    line = f"[dim]{TITLES[name]:<24}[/] {rates.fastest.result.per_second:6.0f} sessions/s"
    console.print(line, highlight=False)


def show_rates(
    console: Console,
    rates: Mapping[str, Rates],
    slow: Rate,
    responder: Result,
    standin: Result,
    registered: int,
    figures: Figures,
) -> None:
    """A row for each scene, and what was beside it on the same machine."""
    headings = ("", "sessions\n/s", "p50\nms", "p95\nms", "p99\nms", "half\np50", "p95", "p99")
    table = _table("sessions", (*headings, "broker\nCPU ms", "database\nCPU ms", "load\nCPU %", "register\ns"))
    for name, one in rates.items():
        fastest, half = one.fastest, one.half
        table.add_row(
            TITLES[name],
            f"{fastest.result.per_second:.0f}",
            *(f"{rate.latency_ms(share):.1f}" for rate in (fastest, half) for share in (0.5, 0.95, 0.99)),
            f"{fastest.cpu_ms_per_session(fastest.broker_cpu_s):.2f}",
            f"{fastest.cpu_ms_per_session(fastest.database_cpu_s):.2f}",
            f"{fastest.cpu_percent(fastest.result.cpu_s):.0f}",
            f"{figures.values[f'broker_{name}_registered_s']:.1f}",
        )
    _print(console, table)
    console.print(
        f"With a service that takes 100 ms: {slow.result.per_second:.0f} sessions/s on SQLite, as a broker asks it for "
        f"20 at a time. Alone, the bench's service gives {responder.per_second:.0f}/s, the stand-in "
        f"{standin.per_second:.0f}/s.",
        highlight=False,
    )
    console.print(
        f"[dim]{CONNECTIONS} kept connections to each broker, each asking again as soon as it is answered; then half "
        "as many sessions, each at its own random moment and timed from it. CPU: per session, of all processes. "
        f"Brokers, database, load and service share {os.cpu_count()} processors: where none is left, two brokers give "
        f"no more than one. Last: how long it took to register {registered} devices.[/]",
        highlight=False,
    )


def show_returns(console: Console, returns: Mapping[str, Return], outage_s: float) -> None:
    """A row for each way of losing the brokers."""
    headings = ("", "half back\ns", "95 %\ns", "all\ns", "requests", "429", "told\ns", "5xx", "no\nanswer", "most\n/s")
    table = _table("the return of a fleet", (*headings, "p95\nms"))
    for name, one in returns.items():
        setup, _, kind = name.rpartition("_")
        told_s = one.told_s
        table.add_row(
            f"{TITLES[setup]}, {'cut' if kind == 'cut' else f'away for {outage_s:g} s'}",
            f"{one.back_within_s(0.5):.1f}",
            f"{one.back_within_s(0.95):.1f}",
            f"{one.all_back_s:.1f}",
            str(len(one.attempts)),
            str(len(told_s)),
            f"{told_s[0]:.0f} to {told_s[-1]:.0f}" if told_s else "",
            str(one.faults),
            str(one.unanswered),
            str(one.most_per_s),
            f"{one.latency_ms(0.95):.0f}",
        )
    _print(console, table)
    devices = next(iter(returns.values())).devices
    console.print(
        f"[dim]{devices} devices that all lost their call at once, each trying by the daemon's own policy in real "
        "time over HTTP; the service takes 100 ms. cut: the brokers were there all the time. Seconds count from then, "
        "or from the moment that the brokers are started again. 429: answers, and what their Retry-After asked for. "
        "no answer: requests that the brokers, being there, did not answer. Last: how long requests took that got a "
        "session.[/]",
        highlight=False,
    )


def show_kills(console: Console, outcomes: Mapping[str, Outcome]) -> None:
    """A row for each database."""
    headings = ("", "kills", "acknowledged", "lost", "twice", "sessions", "faults", "unsound", "no answer", "start\ns")
    table = _table("killed at any moment", headings)
    for name, one in outcomes.items():
        table.add_row(
            _OF_KILLS[name],
            str(sum(one.kills.values())),
            str(one.acknowledged),
            str(len(one.verdict.lost)),
            str(len(one.verdict.twice)),
            str(one.calls),
            str(one.verdict.faults),
            str(len(one.unsound)),
            str(one.statuses.get(0, 0)),
            f"{one.slowest_start_s:.1f}",
        )
    _print(console, table)
    for name, one in outcomes.items():
        if one.verdict.faults:
            console.print(f"[bold red]{_OF_KILLS[name]}: {one.verdict}[/]", highlight=False)
    console.print(
        "[dim]kill -9 of all of the broker, running or starting, of a worker, and of the database's server, each at a "
        "random moment, under signed webhooks and sessions. acknowledged: webhooks answered 200; lost, twice: those "
        "of them that are not in the database afterwards, or more than once. sessions: given to devices. unsound: what "
        "integrity_check found (PostgreSQL: amcheck, which ends the bench). start: the slowest of all.[/]",
        highlight=False,
    )


def _table(title: str, headings: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in headings:
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    return table


def _print(console: Console, table: Table) -> None:
    Console(file=console.file, width=max(console.width, _WIDTH)).print(table)
