"""Configuration files as people write them, in every style: for tests of what edits them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

LEAVES: dict[str, Any] = {
    "backend.url": ["https://a.example/s", "https://b.example/v2/ingest/sessions", None],
    "backend.auth_scheme": ["bearer", "raw"],
    "backend.token_file": ["/etc/ingestd/token"],
    "session.room_id": ["abcd-efgh-ijkl", "true", None, "it's: #1"],
    "session.participant.name": ["Door ${hostname}", "a, b"],
    "session.max_age_s": [3600, 1.5],
    "audio.duplex": ["full", "half"],
    "audio.capture.device": ["default", "plughw:CARD=Mic,DEV=0"],
    "audio.capture.gain_db": [0, -6],
    "audio.playback.device": ["hw:1", 'say "hi"'],
    "messaging.subscribe": [["CHAT"], ["A", "B"], []],
    "log.level": ["info"],
}
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/.-_")


@dataclass
class Written:
    """A file, and what it says."""

    text: str
    values: dict[str, Any]
    comments: list[str]


@st.composite
def files(draw: st.DrawFn) -> Written:
    """A configuration with a few keys, written in some style."""
    chosen = draw(st.permutations(sorted(LEAVES)))[: draw(st.integers(0, len(LEAVES)))]
    values: dict[str, Any] = {}
    for path in chosen:
        *above, key = path.split(".")
        group = values
        for name in above:
            group = group.setdefault(name, {})
        group[key] = draw(st.sampled_from(LEAVES[path]))
    for name in ("backend", "session", "metrics"):  # headings with nothing below them
        if name not in values and draw(st.booleans()):
            values[name] = None
    writer = _Writer(draw)
    head = draw(st.sampled_from(["", "---\n", "# all of it\n\n", "%YAML 1.1\n---\n", "--- # one\n"]))
    writer.comments += [line[line.index("#") :] for line in head.splitlines() if "#" in line]
    style = draw(st.sampled_from(["block", "block", "flow", "json"]))
    if not values:
        body = ""
    elif style == "json":
        indent: int | None = draw(st.sampled_from([None, 1, 4]))
        body = json.dumps(values, indent=indent) + "\n"
    elif style == "flow":
        body = writer.flow(values) + "\n"
    else:
        body = writer.block(values, draw(st.sampled_from([0, 0, 0, 2])))
    text = head + body
    if not text.strip():
        text = "# nothing yet\n"
        writer.comments.append("# nothing yet")
    if bool(values) and draw(st.booleans()):
        text += "...\n"
    if draw(st.booleans()):
        text = text.rstrip("\n")
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    if draw(st.booleans()):
        text = "\ufeff" + text
    return Written(text, values, writer.comments)


class _Writer:
    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self.comments: list[str] = []

    def block(self, values: dict[str, Any], indent: int) -> str:
        step = self._draw(st.integers(1, 5))
        lines = ""
        for key, value in values.items():
            lines += self._aside(indent)
            name = self._draw(st.sampled_from([key, key, f'"{key}"', f"'{key}'"]))
            opening = f"{' ' * indent}{name}:"
            if isinstance(value, dict) and value and self._draw(st.integers(0, 3)):
                lines += f"{opening}{self._comment()}\n{self.block(value, indent + step)}"
            elif isinstance(value, str) and self._draw(st.integers(0, 4)) == 0:
                mark = self._draw(st.sampled_from(["|-", ">-"]))
                lines += f"{opening} {mark}{self._comment()}\n{' ' * (indent + step)}{value}\n"
            else:
                shown = self.flow(value)
                lines += f"{opening}{' ' * bool(shown)}{shown}{self._comment()}\n"
        return lines

    def flow(self, value: Any) -> str:
        if isinstance(value, dict):
            gap = self._draw(st.sampled_from(["", " "]))
            inner = ", ".join(f"{key}: {self.flow(item)}" for key, item in value.items())
            return "{" + gap + inner + gap + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(self.flow, value)) + "]"
        if value is None:
            return str(self._draw(st.sampled_from(["", "null", "~"])))
        if not isinstance(value, str):
            return str(value)
        styles = [json.dumps(value), "'" + value.replace("'", "''") + "'"]
        if set(value) <= _PLAIN and value != "true":
            styles.append(value)
        return str(self._draw(st.sampled_from(styles)))

    def _aside(self, indent: int) -> str:
        """A comment or an empty line above a key."""
        kind = self._draw(st.integers(0, 4))
        if kind == 0:
            return f"{' ' * indent}{self._new_comment()}\n"
        return "\n" if kind == 1 else ""

    def _comment(self) -> str:
        return f"  {self._new_comment()}" if self._draw(st.integers(0, 3)) == 0 else ""

    def _new_comment(self) -> str:
        self.comments.append(f"# note {len(self.comments)}: url, 'x' {{")
        return self.comments[-1]
