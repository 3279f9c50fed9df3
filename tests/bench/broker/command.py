"""`scripts/bench broker`: how many sessions it gives, how a fleet comes back to it, and what kills take from it."""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from rich.console import Console

from tests.bench.broker import broker_figures, broker_report, kills, rates, returns
from tests.bench.broker.scene import Scene, scene
from tests.bench.costs.options import named_quick
from tests.rig.figures import Figures
from tests.rig.postgres import Postgres, why_not

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # which argparse has no public name for

PARTS: Final = ("rates", "returns", "kills")
DEVICES: Final = 2000
_SEED: Final = 1
_SLOW_MS: Final = 100.0
"""A service that is some way off."""
_SLOW_CONNECTIONS: Final = 20
"""As many as a broker asks the service for at a time, unless it is told otherwise."""
_ALONE_S: Final = 2.0
_SETUPS: Final = {"sqlite": 1, "postgresql": 1, "replicas": 2}
"""How many brokers of one worker each; all but the first share a PostgreSQL."""


class Extent(NamedTuple):
    """How much is measured."""

    registered: int
    seconds: float
    devices: int
    outage_s: float
    kills: int
    setups: tuple[str, ...]


_WHOLE: Final = Extent(registered=10_000, seconds=10.0, devices=DEVICES, outage_s=60.0, kills=24, setups=tuple(_SETUPS))
_QUICK: Final = Extent(registered=100, seconds=0.5, devices=30, outage_s=0.5, kills=2, setups=("sqlite", "replicas"))


def add_to(commands: Commands) -> None:
    """Adds the sub-command."""
    parser = commands.add_parser(
        "broker",
        help="sessions a second, the return of a fleet, and what a kill takes",
        description="Runs session brokers of one worker each on SQLite and on PostgreSQL, one and two of them, with "
        f"{_WHOLE.registered} devices: how many sessions a second, and how long one takes; how a fleet comes back "
        "after an outage, each device by the daemon's own policy in real time; and what is left of what was "
        "acknowledged when broker and database are killed again and again. Some ten minutes.",
    )
    parser.set_defaults(measure=run)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured")
    parser.add_argument("--quick", action="store_true", help="a small fleet, seconds, no bounds; figures say quick_…")
    parser.add_argument("--part", choices=PARTS, help="only that")
    parser.add_argument(
        "--devices", type=_positive, metavar="N", help=f"how many come back after an outage (default {DEVICES})"
    )
    parser.add_argument("--seconds", type=float, metavar="S", help=f"of each load (default {_WHOLE.seconds:g})")


def run(arguments: argparse.Namespace, console: Console) -> Figures:
    """Measures and shows; the figures with their bounds."""
    extent = _QUICK if arguments.quick else _WHOLE
    extent = extent._replace(devices=arguments.devices or extent.devices, seconds=arguments.seconds or extent.seconds)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ingestd-bench-")))
        server = None
        if reason := why_not():
            console.print(f"[yellow]nothing on PostgreSQL is measured: {reason}[/]", highlight=False)
        else:
            server = stack.enter_context(Postgres())
        bench = _Bench(folder, server, extent, console)
        for part in [arguments.part] if arguments.part else PARTS:
            getattr(bench, part)()
    return named_quick(bench.figures) if arguments.quick else bench.figures


class _Bench:
    """Its parts, any of which may be left out."""

    def __init__(self, folder: Path, server: Postgres | None, extent: Extent, console: Console) -> None:
        self.figures = Figures()
        self._folder = folder
        self._server = server
        self._extent = extent
        self._console = console

    def rates(self) -> None:
        """Sessions a second."""
        extent, found = self._extent, {}
        for name in self._setups():
            with self._scene(name, extent.registered) as here:
                pid = self._server.pid if self._server is not None and name != "sqlite" else None
                found[name] = rates.measure(here, extent.seconds, pid)
                broker_figures.add_rates(self.figures, name, found[name], here.registered_s)
                broker_report.tell_rates(self._console, name, found[name])
        with self._scene("sqlite", extent.registered, _SLOW_MS) as here:
            slow = rates.with_a_slow_service(here, extent.seconds, _SLOW_CONNECTIONS)
            broker_figures.add_slow(self.figures, slow)
        with self._scene("sqlite", 1) as here:
            alone = rates.of_the_service(here, min(_ALONE_S, extent.seconds))
        standin = rates.of_the_standin(self._folder, min(_ALONE_S, extent.seconds))
        broker_figures.add_others(self.figures, found, alone, standin)
        broker_report.show_rates(self._console, found, slow, alone, standin, extent.registered, self.figures)

    def returns(self) -> None:
        """The return of a fleet."""
        devices, found = self._extent.devices, {}
        for name in self._setups():
            if name == "postgresql":  # with the two of `replicas` it has less to do
                continue
            with self._scene(name, devices, _SLOW_MS) as here:
                found[f"{name}_cut"] = returns.after_a_cut(here, devices)
            with self._scene(name, devices, _SLOW_MS) as here:
                found[f"{name}_outage"] = returns.after_an_outage(here, devices, self._extent.outage_s)
        for name, one in found.items():
            broker_figures.add_return(self.figures, name, one)
        broker_report.show_returns(self._console, found, self._extent.outage_s)

    def kills(self) -> None:
        """What is left of what was acknowledged."""
        found = {"sqlite": kills.run(self._new_folder(), self._extent.kills, _SEED)}
        if (server := self._server) is not None:
            rounds = self._extent.kills
            found["postgresql"] = kills.run(self._new_folder(), rounds, _SEED, server)
            found["postgresql_server"] = kills.run(self._new_folder(), rounds, _SEED, server, kill_server=True)
        for name, one in found.items():
            broker_figures.add_kills(self.figures, name, one)
        broker_report.show_kills(self._console, found)

    def _setups(self) -> list[str]:
        return [name for name in self._extent.setups if name == "sqlite" or self._server is not None]

    @contextlib.contextmanager
    def _scene(self, name: str, devices: int, delay_ms: float = 0.0) -> Iterator[Scene]:
        database = self._server.database() if self._server is not None and name != "sqlite" else None
        with scene(
            self._new_folder(), devices=devices, database=database, brokers=_SETUPS[name], delay_ms=delay_ms
        ) as here:
            yield here

    def _new_folder(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self._folder))


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(f"{number} is not positive")
    return number
