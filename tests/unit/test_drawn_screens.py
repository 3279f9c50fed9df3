"""The pictures of `ingestctl` are of what it shows today."""

from __future__ import annotations

import html
import re
from collections import defaultdict

from ingestd.ctl import status_view, watch_view, words
from ingestd.ctl.paint import written
from ingestd.ctl.reading import Reading
from tests.drawings.screens import COLUMNS, FOLDER, WATCH_LINES
from tests.unit.status_case import NOW, good

_COLUMN = 12.2
"""How wide a column is in the pictures."""
AGAIN = "draw them again: `.venv/bin/python -m tests.drawings.screens`"


def drawn(name: str) -> list[str]:
    """The picture's text, line by line."""
    rows: dict[float, str] = defaultdict(str)
    text = r'<text [^>]*\bx="([\d.]+)" y="([\d.]+)"[^>]*clip-path[^>]*>([^<]*)</text>'
    for x, y, shown in re.findall(text, (FOLDER / name).read_text()):
        rows[float(y)] = rows[float(y)].ljust(round(float(x) / _COLUMN)) + html.unescape(shown).replace("\u00a0", " ")
    return [rows[y].rstrip() for y in sorted(rows)]


def labels(lines: list[str]) -> list[str]:
    """What the counters of `watch` are called, both columns of them."""
    first = next(number for number, line in enumerate(lines) if line.startswith("to the room"))
    counters = lines[first + 1 : first + 8]
    return [line[start : start + 12].strip() for line in counters for start in (0, COLUMNS // 2)]


def test_watch() -> None:
    lines = drawn("watch.svg")
    scene = watch_view.Scene(Reading(good()), None, (), NOW)
    today = [written(line, colour=False).rstrip() for line in watch_view.view(scene, COLUMNS, WATCH_LINES)]
    assert labels(lines) == labels(today), AGAIN
    assert lines[-1] == today[-1], AGAIN
    for label in (*watch_view.METERS, watch_view.NEWS_LABEL, *watch_view.COUNTER_LABELS):
        assert any(label in line for line in lines), AGAIN
    assert lines[0].startswith(" IN THE ROOM ")


def test_status() -> None:
    lines = drawn("status.svg")
    named = {line.split()[0] for line in lines if line[:1].islower()}
    assert named <= set(status_view.LABELS), AGAIN
    assert {"microphone", "loudspeaker", "messages"} <= named, AGAIN
    assert words.DEVICE_REMEDY["capture"] in " ".join(" ".join(lines).split()), AGAIN
    assert any(line.startswith(" FAULT ") for line in lines), AGAIN
