"""What the sub-commands of this folder have in common."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from tests.rig.figures import Figures

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # which argparse has no public name for

Measure = Callable[[argparse.Namespace, Console], Figures]


def add_command(
    commands: Commands, name: str, measure: Measure, short: str, description: str
) -> argparse.ArgumentParser:
    """A sub-command with `--json` and `--quick`."""
    parser = commands.add_parser(name, help=short, description=description)
    parser.set_defaults(measure=measure)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured")
    parser.add_argument("--quick", action="store_true", help="seconds only, no bounds; figures say quick_…")
    return parser


def named_quick(figures: Figures) -> Figures:
    """The same as figures of a run that was too short for bounds."""
    quick = Figures()
    for name, value in figures.values.items():
        quick.add(f"quick_{name}", value)
    return quick
