"""What Python asks its allocators for in a call, by thread and line; and what each module needs that for."""

from __future__ import annotations

import ast
import functools
import json
import subprocess
import sysconfig
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.bench.installed import REPO, installed
from tests.rig.process import wait_until

_SOURCE: Final = Path(__file__).with_suffix(".c")

PURPOSES: Final = {
    "ingestd/audio": "blocks of samples on their way from and to the sound card",
    "ingestd/control/server.py": "the control thread's round: who is ready, what is due",
    "ingestd/control/subscriptions.py": "which topics are wanted now: compared at each round",
    "ingestd/core/channels.py": "one channel of several",
    "ingestd/core/concealment.py": "what was played last, to go on with where a frame is missing",
    "ingestd/core/delaycontrol.py": "whether the delay is to change: times",
    "ingestd/core/devicefill.py": "how full the speaker's buffer is kept: times",
    "ingestd/core/drift.py": "how fast the other clock runs: points of a line",
    "ingestd/core/duty.py": "the control thread's share of the processor: times",
    "ingestd/core/energy.py": "sums of squares over samples: products beyond the small integers",
    "ingestd/core/histogram.py": "figures of the latency",
    "ingestd/core/level.py": "levels: samples as integers, their peak and their sum",
    "ingestd/core/liveness.py": "when something came in last: times",
    "ingestd/core/messageshare.py": "what messages may take of the way: counts of bytes",
    "ingestd/core/onlyonce.py": "messages that came already",
    "ingestd/core/outbox.py": "messages that wait: a look at each round",
    "ingestd/core/pacing.py": "when the next frame goes out: times, counts of samples, the step that follows",
    "ingestd/core/pauses.py": "how loud the quietest stretch is",
    "ingestd/core/playout.py": "samples queued and taken, what was played last",
    "ingestd/core/played.py": "what was played last, kept for whatever goes on from it",
    "ingestd/core/prediction.py": "how the sound would go on",
    "ingestd/core/presence.py": "who is in the room: times",
    "ingestd/core/progress.py": "whether every thread goes round: times",
    "ingestd/core/faults.py": "which faults there are",
    "ingestd/core/rfc6455.py": "frames: what is masked and written, what is read out of the stream",
    "ingestd/core/ring.py": "samples into the ring and out of it, their counts",
    "ingestd/core/sampleclock.py": "how fast the microphone's clock runs: times",
    "ingestd/core/targetdelay.py": "how late frames are: times",
    "ingestd/core/timescale.py": "where the sound can be made shorter or longer",
    "ingestd/core/topics.py": "which topics are wanted",
    "ingestd/core/wire.py": "the media frame as text: base64 and what stands around it",
    "ingestd/health.py": "whether every thread goes round",
    "ingestd/net/channel.py": "events on their way to the receiver's thread, the gate's sums",
    "ingestd/net/frame_writer.py": "what of a frame is not yet written",
    "ingestd/net/inbound.py": "the frames of one read",
    "ingestd/net/network_watch.py": "the network's events: a look",
    "ingestd/net/route.py": "whether another way leads to the service now, after the network's events",
    "ingestd/net/stream.py": "what was read, how much was written",
    "ingestd/reporter.py": "what systemd and the log are told",
    "ingestd/system/notify.py": "the watchdog's word",
    "ingestd/threads": "the threads' own rounds: times, links, what came in",
    "tests/bench/peers/looped_ports.py": "the sound devices in memory: times, what was played",
    "the interpreter": "small objects of the standard library's and of generated constructors",
}
"""By module, or by folder where that says enough. What is in no row is an error of the bench: this is to stay true."""


@dataclass(frozen=True)
class Line:
    """What one line of code asks for, per frame pair."""

    thread: str
    module: str
    """Its path, or `the interpreter`."""
    function: str
    line: int
    resized: bool
    """Blocks that only got another size."""
    count: float
    bytes: float


def order(folder: Path, after_s: float, for_s: float) -> Path:
    """Builds what counts in `folder`; the argument for `device.py` that makes it count."""
    library = folder / "allocations.so"
    include = sysconfig.get_path("include")
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", f"-I{include}", "-o", library, _SOURCE], check=True)
    path = folder / "counting.json"
    counted = {"library": str(library), "after_s": after_s, "for_s": for_s, "counted": str(folder / "counted.json")}
    path.write_text(json.dumps(counted))
    return path


def counted(path: Path, threads: Mapping[int, str], frames_per_s: float, timeout_s: float) -> list[Line]:
    """What that device has counted, most first; waits for it."""
    result = Path(json.loads(path.read_text())["counted"])
    wait_until(result.exists, timeout_s, "what was allocated")
    found = json.loads(result.read_text())
    if found["lost"]:
        raise RuntimeError(f"{found['lost']} blocks came from no line")
    lines = [_line(row, threads, found["seconds"] * frames_per_s) for row in found["rows"]]
    return sorted(lines, key=lambda line: -line.count)


def _line(row: list[Any], threads: Mapping[int, str], frames: float) -> Line:
    thread, file, number, resized, count, size = row
    module = _module(Path(file))
    function = _function(REPO / module, number) if module else Path(file).stem
    name = threads.get(thread, "others")
    return Line(name, module or "the interpreter", function, number, bool(resized), count / frames, size / frames)


def _module(path: Path) -> str | None:
    """From where its sources stand; None for what is not ours. What is installed has the lines of its sources."""
    root = next((root for root in (installed(), REPO) if path.is_relative_to(root)), None)
    return None if root is None or ".venv" in path.parts else str(path.relative_to(root))


def _function(path: Path, line: int) -> str:
    return next((name for first, last, name in _functions(path) if first <= line <= last), "")


@functools.cache
def _functions(path: Path) -> list[tuple[int, int, str]]:
    nodes = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef))
    found = [(node.lineno, node.end_lineno or node.lineno, node.name) for node in nodes]
    return sorted(found, key=lambda span: span[1] - span[0])  # the innermost first


def purpose(module: str) -> str | None:
    """What it allocates for; None where nobody wrote that down."""
    return PURPOSES.get(module) or PURPOSES.get(str(Path(module).parent))


def by_module(lines: Iterable[Line]) -> dict[tuple[str, str], tuple[float, float]]:
    """(count, bytes) per frame pair by (thread, module), most first; what was only resized is not among it."""
    sums: defaultdict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for line in lines:
        if not line.resized:
            of_module = sums[line.thread, line.module]
            of_module[0] += line.count
            of_module[1] += line.bytes
    return {key: (count, size) for key, (count, size) in sorted(sums.items(), key=lambda item: -item[1][0])}
