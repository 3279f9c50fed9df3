"""`scripts/bench peers`: all contenders on the same audio, in rounds; then some of them at length."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console

from tests.bench.peers import contenders, peer_figures, peer_report
from tests.bench.peers.contenders import Scene
from tests.bench.peers.measuring import LongRun, Sample, measure, run_long
from tests.bench.peers.peer_figures import Results
from tests.rig.figures import Figures
from tests.rig.speech import conversation
from tests.rig.wav import Pcm
from tests.standin.client import StandIn

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # which argparse has no public name for

ROUNDS, SECONDS, LONG_SECONDS = 5, 10.0, 125.0
SETTLE_S = 3.0
"""After joining: what starting up costs is over, and a playout has found its fill."""
QUICK_SECONDS, QUICK_SETTLE_S = 4.0, 1.0
_AUDIO_S = 10.0


def add_to(commands: Commands) -> None:
    """Adds the sub-command."""
    parser = commands.add_parser(
        "peers",
        help="the daemon against other clients, and against the least that is possible",
        description="Runs the daemon, three clients as one would write them from the vendor's page and a small C "
        "program in the same room, in rounds, and compares processor time, memory, wake-ups and how even their frames "
        "come. A quarter of an hour.",
    )
    parser.set_defaults(measure=run)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw it")
    parser.add_argument("--rounds", type=_positive, default=ROUNDS, metavar="N", help="default %(default)s")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, metavar="S", help="of each contender in a round (default %(default)g)"
    )
    parser.add_argument("--quick", action="store_true", help="one round of 4 s and no bounds; figures say quick_…")


def run(arguments: argparse.Namespace, console: Console) -> Figures:
    """Measures, shows and draws; the figures with their bounds."""
    contenders.ready()
    with tempfile.TemporaryDirectory(prefix="ingestd-bench-") as folder:
        if arguments.quick:
            results = _measure(Path(folder), console, 1, QUICK_SETTLE_S, QUICK_SECONDS, 0.0)
        else:
            results = _measure(Path(folder), console, arguments.rounds, SETTLE_S, arguments.seconds, LONG_SECONDS)
    peer_report.show(console, results)
    if arguments.plot:
        from tests.bench.peers import peer_plot  # takes a second, which nobody else should wait for

        peer_plot.write_plot(arguments.plot, results)
        console.print(f"the same as a picture: {arguments.plot}", highlight=False)
    return peer_figures.quick(results) if arguments.quick else peer_figures.of(results)


def _measure(folder: Path, console: Console, rounds: int, settle_s: float, seconds: float, long_s: float) -> Results:
    audio = _audio()
    floor = contenders.build_floor(folder)
    samples: dict[bool, dict[str, list[Sample]]] = {}
    long: dict[str, LongRun] = {}
    for tls, names in ((False, contenders.PLAIN), (True, contenders.TLS)):
        samples[tls] = {name: [] for name in names}
        with StandIn(tls=tls) as room:
            scene = Scene(room, audio, folder, floor)
            for number in range(rounds):
                for name in rotated(names, number):
                    samples[tls][name].append(sample := measure(name, scene, settle_s, seconds))
                    peer_report.tell(console, number, tls, name, sample)
            if long_s and not tls:
                long = run_long(contenders.LONG, scene, settle_s, long_s)
    return Results(samples[False], samples[True], long)


def rotated(names: Sequence[str], by: int) -> Iterator[str]:
    """All of them, another one first each time."""
    for number in range(len(names)):
        yield names[(by + number) % len(names)]


def _audio() -> Pcm:
    """Speech of which no two frames are alike: silence gets the faintest noise."""
    speech, _ = conversation(_AUDIO_S)
    noise = np.random.default_rng(1).integers(-2, 3, len(speech))
    return np.clip(speech + noise, -32768, 32767).astype(np.int16)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(f"{number} is not positive")
    return number
