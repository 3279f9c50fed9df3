"""The controls of a card's own mixer: one is set and unmuted, all are read."""

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


class ControlState(NamedTuple):
    """How one simple control stands, of the one direction that was asked for."""

    mixer: str
    """As `amixer -D` takes it."""
    control: str
    """Its name, with `,1` for the second of that name."""
    on: bool | None
    """False where every channel is switched off; None where it has no switch."""
    level_percent: int | None
    """The loudest channel's; None where it has no level."""


def mixer_states(kind: Literal["capture", "playback"], device: str) -> list[ControlState]:
    """All controls that go with a PCM, as they stand; none where it has no mixer. Changes nothing."""
    for mixer_name in mixers_of(device):
        try:
            names = alsaaudio.mixers(device=mixer_name)
        except alsaaudio.ALSAAudioError:
            continue
        seen: dict[str, int] = {}
        states = []
        for name in names:
            index = seen[name] = seen.get(name, -1) + 1
            state = _state(kind, mixer_name, name, index)
            if state is not None:
                states.append(state)
        return states
    return []


def _state(kind: Literal["capture", "playback"], mixer_name: str, name: str, index: int) -> ControlState | None:
    capture = kind == "capture"
    of_kind = "Capture" if capture else "Playback"
    try:
        mixer = alsaaudio.Mixer(control=name, id=index, device=mixer_name)
    except alsaaudio.ALSAAudioError:
        return None
    try:
        on = level = None
        if {"Mute", f"{of_kind} Mute"} & set(mixer.switchcap()):
            on = any(mixer.getrec()) if capture else not all(mixer.getmute())
        if {"Volume", f"{of_kind} Volume"} & set(mixer.volumecap()):
            level = max(mixer.getvolume(alsaaudio.PCM_CAPTURE if capture else alsaaudio.PCM_PLAYBACK))
    except (alsaaudio.ALSAAudioError, ValueError):
        return None
    finally:
        mixer.close()
    if on is None and level is None:
        return None
    return ControlState(mixer_name, f"{name},{index}" if index else name, on, level)
