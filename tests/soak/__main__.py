"""`scripts/soak`: faults at random for a while; exit 0 where every bound is met."""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

from rich.console import Console

from tests.soak import promises, report, run
from tests.soak.faults import KINDS

_SHORTEST_MINUTES = 1.0


def main() -> int:
    """Exit 0 where every bound is met, 1 where one is missed, 2 for a command that makes no sense."""
    arguments = _parser().parse_args()
    if arguments.minutes < _SHORTEST_MINUTES:
        print(f"soak: --minutes is to be {_SHORTEST_MINUTES:g} at least, for a fault to strike and be over")
        return 2
    console = Console()
    seed = random.randrange(1 << 32) if arguments.seed is None else arguments.seed
    log = arguments.out / "device.log"
    report.say(console, f"{arguments.minutes:g} minutes of faults, --seed {seed}")
    evidence = run.run(arguments.minutes, seed, arguments.only, log, lambda text: report.say(console, text))
    figures = promises.judge(evidence)
    if arguments.json:
        figures.write(arguments.json)
    report.show(console, evidence, figures)
    console.print(f"what the daemon logged: {log}; the same faults again: --seed {seed}", highlight=False)
    return 0 if figures.met else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/soak",
        description="A device in a room while its network, the service and its sound devices fail at random, one fault "
        "about every 15 s. Then for a while nothing works at all, and what is logged is counted.",
    )
    parser.add_argument("--minutes", type=float, default=20.0, metavar="N", help="of faults (default %(default)g)")
    parser.add_argument("--seed", type=int, metavar="N", help="the same faults as another run's")
    names = [kind.name for kind in KINDS]
    parser.add_argument("--only", nargs="+", choices=names, default=[], metavar="KIND", help=f"of {', '.join(names)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured")
    parser.add_argument(
        "--out", type=Path, default=Path("out/soak"), metavar="DIR", help="for the daemon's log (default %(default)s)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
