"""What the controls of a card say: which of them keeps the sound from getting through. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from shlex import quote
from typing import Any, Final, Literal

from ingestd.core.check import Check, ok, warning

_OF_AN_INPUT: Final = re.compile(r"\b(mic|line|cd|aux|video|phone|capture|boost|loopback|beep|sidetone|tad)\b", re.I)
"""Playback controls by which an input is heard in the speaker: off is how they should be."""
_OF_NO_ANALOGUE: Final = re.compile(r"\b(iec958|s/?pdif|hdmi|auto-mute|boost)\b", re.I)


def judged_controls(
    name: str, kind: Literal["capture", "playback"], controls: Sequence[Mapping[str, Any]], configured: str | None
) -> Check:
    """Each control is an `audio.alsa_mixer.ControlState` as a mapping; the daemon sets the `configured` one."""
    if not controls:
        said = "the device has no mixer" if configured is None else f"there is no mixer, so {configured!r} can't be set"
        return ok(name, said) if configured is None else warning(name, said, f"correct audio.{kind}.mixer")
    names = [control["control"] for control in controls]
    if configured is not None and configured not in names:
        remedy = f"give audio.{kind}.mixer one of {', '.join(map(repr, names))}"
        return warning(name, f"there is no control {configured!r} for {kind}", remedy)
    shut = [control for control in controls if _shut(control) and _matters(kind, control["control"])]
    shut = [control for control in shut if control["control"] != configured]
    if not shut:
        return ok(name, "nothing is switched off: " + ", ".join(map(_told, controls)))
    opening = "cap" if kind == "capture" else "unmute"
    remedies = (f"`amixer -D {quote(one['mixer'])} sset {quote(one['control'])} 80% {opening}`" for one in shut)
    remedy = f"if there is no sound: {', '.join(remedies)}; or let audio.{kind}.mixer set it"
    return warning(name, "shut: " + ", ".join(map(_told, shut)), remedy)


def _shut(control: Mapping[str, Any]) -> bool:
    return control["on"] is False or control["level_percent"] == 0


def _matters(kind: str, control: str) -> bool:
    if _OF_NO_ANALOGUE.search(control):
        return False
    return kind == "capture" or not _OF_AN_INPUT.search(control)


def _told(control: Mapping[str, Any]) -> str:
    level = control["level_percent"]
    parts = [] if level is None else [f"{level} %"]
    if control["on"] is False:
        parts.append("switched off")
    return f"{control['control']} {' and '.join(parts) or 'on'}"
