"""Draws tests/drawings/watch.svg and status.svg, what `ingestctl` shows in a terminal, of a real run.

`.venv/bin/python -m tests.drawings.screens` lets a device and a person talk in a room on this machine, over a virtual
sound card, with `ingestctl watch` beside them; then it pulls the microphone out, and asks for the status.
"""

from __future__ import annotations

import io
import os
import re
import sys
import tempfile
import time
from itertools import groupby
from pathlib import Path
from typing import Final

from pyte.screens import Char
from rich.console import Console
from rich.style import Style
from rich.text import Text

from tests.rig.alsa_device import alsa_device
from tests.rig.process import wait_until
from tests.rig.sound import SoundRig
from tests.rig.speech import conversation
from tests.rig.terminal import Terminal
from tests.standin.client import StandIn

FOLDER: Final = Path(__file__).parent
COLUMNS: Final = 100
WATCH_LINES: Final = 24
TOPIC: Final = "CHAT"
_TALK_S: Final = 120.0
_SETTLE_S: Final = 45.0
"""Until the clocks are known."""
_LOUD_DBFS: Final = -26.0
_CTL: Final = (sys.executable, "-m", "ingestd.ctl.main")


def main() -> int:
    """Both pictures."""
    with tempfile.TemporaryDirectory() as directory, SoundRig() as rig, StandIn(tls=True, quiet="silence") as room:
        os.environ.update(rig.env())
        folder = Path(directory)
        alice = room.add("Alice")
        with alsa_device(room, folder) as device:
            room.wait_joined()
            wait_until(lambda: not (device.lost("capture") or device.lost("playback")), 15, "the sound devices")
            socket = folder / "control.sock"
            with Terminal(
                [*_CTL, "--socket", socket, "watch", "--topic", TOPIC], columns=COLUMNS, lines=WATCH_LINES
            ) as watch:
                watch.wait_for("IN THE ROOM")
                mouth = rig.mic.play(conversation(_TALK_S)[0])
                room.say(alice, conversation(_TALK_S, voice="en-us+f3", gap_s=0.9)[0].astype("<i2").tobytes())
                time.sleep(3)  # the room is told of the topic only by and by
                room.publish(alice, TOPIC, "Good morning, this is the control room.")
                bob = room.add("Bob")
                time.sleep(_SETTLE_S)
                room.publish(bob, TOPIC, "I hear you well at the gate.")
                time.sleep(1)
                room.publish(alice, TOPIC, "Please open valve number seven.")
                watch.wait_for("number seven")
                watch.wait(_both_talk, "both to talk", 30)
                _draw(watch, "ingestctl watch", FOLDER / "watch.svg")
                mouth.stop()
            rig.mic.unplug()
            wait_until(lambda: device.lost("capture"), 15, "the microphone to be missed")
            time.sleep(3)
            with Terminal([*_CTL, "--socket", socket, "status"], columns=COLUMNS, lines=40) as status:
                status.status()
                _draw(status, "ingestctl status", FOLDER / "status.svg")
            rig.mic.replug()
    return 0


def _both_talk(seen: list[str]) -> bool:
    levels = [re.search(r"(-[\d.]+) dBFS", line) for line in seen if line.startswith(("microphone", "room "))]
    return len(levels) == 2 and all(found and float(found[1]) > _LOUD_DBFS for found in levels)


def _draw(terminal: Terminal, title: str, path: Path) -> None:
    """The terminal's screen as it is now, down to its last line with something on it."""
    cells = terminal.cells()[: len(terminal.text.splitlines())]
    paper = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="standard")
    for row in cells:
        line = Text()
        # Word by word: not every viewer keeps the blanks at a text's beginning.
        for (style, _), run in groupby(row, lambda cell: (_style(cell), cell.data == " ")):
            line.append("".join(cell.data for cell in run), style)
        paper.print(line, no_wrap=True, crop=True)
    path.write_text(paper.export_svg(title=title))


def _style(cell: Char) -> Style:
    return Style(color=_colour(cell.fg), bgcolor=_colour(cell.bg), bold=cell.bold)


def _colour(name: str) -> str | None:
    """As rich calls it."""
    if name == "default":
        return None
    bright = name.startswith("bright")
    plain = {"brown": "yellow"}.get(name.removeprefix("bright"), name.removeprefix("bright"))
    return f"bright_{plain}" if bright else plain


if __name__ == "__main__":
    sys.exit(main())
