"""`scripts/demo`: the main job against the embedded stand-in, seen live, with figures and recordings at the end."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.demo import scene
from tests.demo.judge import judge
from tests.demo.scene import Evidence
from tests.demo.screen import Screen
from tests.rig.figures import Figures
from tests.rig.wav import write_wav

_SHORTEST_S = 20.0


def main() -> int:
    """Exit 0 where every bound is met."""
    arguments = _parser().parse_args()
    if arguments.seconds < _SHORTEST_S:
        print(f"demo: --seconds is to be {_SHORTEST_S:g} at least, for something to be heard on both sides of the cut")
        return 2
    console = Console()
    with Screen(console, arguments.picture) as screen:
        evidence = scene.run(arguments.seconds, screen.watch, screen.say)
    figures = judge(evidence)
    _write_recordings(evidence, arguments.out)
    if arguments.json:
        figures.write(arguments.json)
    _summarise(console, figures, arguments.out)
    return 0 if figures.met else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/demo",
        description="A device joins a room and talks with a person there; the network is cut for three seconds and the "
        "call comes back by itself. No account and no sound card needed.",
    )
    parser.add_argument("--seconds", type=float, default=40.0, help="how long they talk (default %(default)g)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="write an SVG of the live panel")
    parser.add_argument(
        "--out", type=Path, default=Path("out/demo"), metavar="DIR", help="for the recordings (default %(default)s)"
    )
    return parser


def _write_recordings(evidence: Evidence, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_wav(folder / "spoken-into-microphone.wav", evidence.device_said.pcm)
    write_wav(folder / "heard-in-room.wav", evidence.room_heard)
    write_wav(folder / "spoken-in-room.wav", evidence.room_said.pcm)
    write_wav(folder / "heard-from-speaker.wav", evidence.speaker_heard)


def _summarise(console: Console, figures: Figures, folder: Path) -> None:
    table = Table(title="what was measured", title_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("bound")
    table.add_column("")
    for name, value in figures.values.items():
        bound = figures.bounds.get(name)
        verdict = "" if bound is None else "[green]met[/]" if bound.met else "[bold red]MISSED[/]"
        table.add_row(name, f"{value:.4f}".rstrip("0").rstrip("."), str(bound or ""), verdict)
    console.print(table)
    console.print(f"recordings of what was said and heard at both ends: {folder}/*.wav", highlight=False)
    verdict = "[bold green]the demo passed[/]" if figures.met else "[bold red]the demo failed[/]"
    console.print(verdict)


if __name__ == "__main__":
    sys.exit(main())
