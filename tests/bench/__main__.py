"""`scripts/bench`: sub-commands, each with its own figures and bounds. Without one, those of ALONE."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from tests.bench import audio, cost, fleet, fleet_figures, promises, report, vm
from tests.bench.broker import command as broker
from tests.bench.costs import counts, load, start
from tests.bench.peers import command as peers
from tests.bench.traces import TRACES
from tests.rig.figures import Figures

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # which argparse has no public name for

ALONE: Final = ("peers", "start", "counts", "load")
"""What runs, one after the other, where no sub-command is named. The first of them takes options that stand alone."""


def main() -> int:
    """Exit 0 where every bound is met, 1 where one is missed, 2 for a command that makes no sense."""
    console = Console()
    met = [_run(arguments, console) for arguments in map(_parser().parse_args, _commands(sys.argv[1:]))]
    return 0 if all(met) else 1


def _commands(words: list[str]) -> list[list[str]]:
    if not words:
        return [[name] for name in ALONE]
    if words[0].startswith("-") and words[0] not in ("-h", "--help"):
        return [[ALONE[0], *words]]
    return [words]


def _run(arguments: argparse.Namespace, console: Console) -> bool:
    figures: Figures = arguments.measure(arguments, console)
    report.show_bounds(console, figures)
    if arguments.json:
        figures.write(arguments.json)
    return figures.met


def _audio(arguments: argparse.Namespace, console: Console) -> Figures:
    figures = Figures()
    if not arguments.cost:
        todo = audio.jobs(arguments.trace or list(TRACES), arguments.quick, arguments.wav)
        results = audio.run(todo, lambda result: report.tell(console, result))
        report.show(console, results)
        promises.add_figures(figures, results)
    if not arguments.trace:
        # With the machine to itself, after the others.
        cost.measure(figures, arguments.quick)
        for name in [name for name in figures.values if name.startswith("cost_")]:
            console.print(f"{name:<40} {figures.values[name]:8.2f}", highlight=False)
    if arguments.wav:
        console.print(f"what was played, and what should have been: {arguments.wav}/*.wav", highlight=False)
    return promises.named_quick(figures) if arguments.quick else figures


def _fleet(arguments: argparse.Namespace, console: Console) -> Figures:
    console.print(f"{arguments.devices} devices, seed {arguments.seed}", highlight=False)
    results = fleet.run(
        [*fleet.OURS, *fleet.AT_ONCE, *fleet.FIXED],
        arguments.devices,
        arguments.seed,
        lambda result: fleet_figures.tell(console, result),
    )
    fleet_figures.show(console, results)
    figures = Figures()
    fleet_figures.add_figures(figures, results)
    if arguments.plot:
        from tests.bench import fleet_plot  # takes a second, which nobody else should wait for

        fleet_plot.write_plot(arguments.plot, fleet_figures.curves(results))
        console.print(f"requests and who is back, over time: {arguments.plot}", highlight=False)
    return figures


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description="What the daemon's parts do, side by side with others' on the same input."
    )
    names = "peers, start, counts, load, audio, fleet, broker or vm"
    commands = parser.add_subparsers(required=True, metavar="COMMAND", help=names)
    _add_audio(commands)
    _add_fleet(commands)
    peers.add_to(commands)
    start.add_to(commands)
    counts.add_to(commands)
    load.add_to(commands)
    broker.add_to(commands)
    vm.add_to(commands)
    return parser


def _add_audio(commands: Commands) -> None:
    parser = commands.add_parser(
        "audio",
        help="the playout against two other players",
        description="Plays what a room says over a number of networks by the daemon's playout, by the vendor's browser "
        "example and by a fixed buffer of 200 ms, and judges what would be heard: PESQ, delay, clicks.",
    )
    parser.set_defaults(measure=_audio)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured")
    parser.add_argument(
        "--quick", action="store_true", help="five minutes of each trace at most, not an hour; figures say quick_…"
    )
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--trace", nargs="+", choices=list(TRACES), metavar="NAME", help=f"only {', '.join(TRACES)}")
    chosen.add_argument("--cost", action="store_true", help="only what it costs in processor time")
    parser.add_argument("--wav", type=Path, metavar="DIR", help="keep what was played, to listen to")


def _add_fleet(commands: Commands) -> None:
    parser = commands.add_parser(
        "fleet",
        help="many devices lose their backend: the daemon's policy against fixed timers",
        description="Simulates a fleet that loses its backend for five minutes, by the daemon's own policy and by "
        "fixed timers of 1 s and 3 s: how hard the backend is asked after its return, and when all devices are back.",
    )
    parser.set_defaults(measure=_fleet)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw requests, and who is back, over time")
    parser.add_argument(
        "--devices",
        type=_positive,
        default=fleet.DEVICES,
        metavar="N",
        help="how many (default %(default)s); few of them vary more than the bounds allow for",
    )
    parser.add_argument("--seed", type=int, default=fleet.SEED, metavar="N", help="another fleet (default %(default)s)")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(f"{number} is not positive")
    return number


if __name__ == "__main__":
    sys.exit(main())
