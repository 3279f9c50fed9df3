"""A control of the card's own mixer: its level, and that it is not muted."""

from __future__ import annotations

import re
from typing import Any, Final, Literal, NamedTuple

import alsaaudio

from ingestd.audio.alsa_names import mixers_of

_INDEXED: Final = re.compile(r"(?P<name>.+),(?P<index>\d+)")


class MixerLevel(NamedTuple):
    """What to set: a simple control by its name (with `,1` for the second of that name), and its level.

    `level_percent` counts the control's own steps, as `amixer` does; None leaves it as it is.
    """

    control: str
    level_percent: float | None = None


def set_mixer(kind: Literal["capture", "playback"], device: str, wanted: MixerLevel) -> str | None:
    """Sets and unmutes all channels of the control that goes with a PCM; returns what went wrong, None for nothing.

    Of a control with both directions only the PCM's own is touched: unmuting the other way of a microphone's may make
    it howl. The thread that opens the device; holds the interpreter's lock for as long as the mixer takes.
    """
    absent = ""
    for mixer_name in mixers_of(device):
        try:
            controls = set(alsaaudio.mixers(device=mixer_name))
        except alsaaudio.ALSAAudioError as error:
            absent = absent or f"there is no mixer: {error}"
            continue
        why = _set(kind, mixer_name, controls, wanted)
        return why and f"mixer control {wanted.control!r} for {kind} device {device!r} is not set: {why}"
    return f"mixer control {wanted.control!r} for {kind} device {device!r} is not set: {absent}"


def _set(
    kind: Literal["capture", "playback"], mixer_name: str, controls: set[str], wanted: MixerLevel
) -> str | None:
    name, index = wanted.control, 0
    if name not in controls and (indexed := _INDEXED.fullmatch(name)):
        name, index = indexed["name"], int(indexed["index"])
    if name not in controls:
        return f"the mixer {mixer_name!r} has " + (", ".join(map(repr, sorted(controls))) or "no controls")
    try:
        mixer = alsaaudio.Mixer(control=name, id=index, device=mixer_name)
    except alsaaudio.ALSAAudioError as error:
        return str(error)
    try:
        return _level(kind, mixer, wanted.level_percent)
    except alsaaudio.ALSAAudioError as error:
        return str(error)
    finally:
        mixer.close()


def _level(kind: Literal["capture", "playback"], mixer: Any, level_percent: float | None) -> str | None:
    capture = kind == "capture"
    of_kind = "Capture" if capture else "Playback"
    if {"Mute", f"{of_kind} Mute"} & set(mixer.switchcap()):
        if capture:
            mixer.setrec(1)
        else:
            mixer.setmute(0)
    if level_percent is not None:
        if not {"Volume", f"{of_kind} Volume"} & set(mixer.volumecap()):
            return f"it has no {kind} level"
        direction = alsaaudio.PCM_CAPTURE if capture else alsaaudio.PCM_PLAYBACK
        mixer.setvolume(round(level_percent), alsaaudio.MIXER_CHANNEL_ALL, direction)
    return None
