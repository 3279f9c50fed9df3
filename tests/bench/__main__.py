"""`scripts/bench`: sub-commands, each with its own figures and bounds."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from tests.bench import audio, cost, promises, report
from tests.bench.traces import TRACES
from tests.rig.figures import Figures


def main() -> int:
    """Exit 0 where every bound is met, 1 where one is missed, 2 for a command that makes no sense."""
    arguments = _parser().parse_args()
    console = Console()
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
    if arguments.quick:
        figures = promises.named_quick(figures)
    report.show_bounds(console, figures)
    if arguments.json:
        figures.write(arguments.json)
    if arguments.wav:
        console.print(f"what was played, and what should have been: {arguments.wav}/*.wav", highlight=False)
    return 0 if figures.met else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description="What the daemon's parts do, side by side with others' on the same input."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", help="audio is all there is so far")
    parser_of_audio = commands.add_parser(
        "audio",
        help="the playout against two other players",
        description="Plays what a room says over a number of networks by the daemon's playout, by the vendor's browser "
        "example and by a fixed buffer of 200 ms, and judges what would be heard: PESQ, delay, clicks.",
    )
    parser_of_audio.add_argument("--json", type=Path, metavar="FILE", help="write what was measured")
    parser_of_audio.add_argument(
        "--quick", action="store_true", help="five minutes of each trace at most, not an hour; figures say quick_…"
    )
    chosen = parser_of_audio.add_mutually_exclusive_group()
    chosen.add_argument("--trace", nargs="+", choices=list(TRACES), metavar="NAME", help=f"only {', '.join(TRACES)}")
    chosen.add_argument("--cost", action="store_true", help="only what it costs in processor time")
    parser_of_audio.add_argument("--wav", type=Path, metavar="DIR", help="keep what was played, to listen to")
    return parser


if __name__ == "__main__":
    sys.exit(main())
