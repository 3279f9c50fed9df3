"""A control of the card's own mixer: its level, and that it is not muted."""

from __future__ import annotations

import contextlib
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
    reasons: list[str] = []
    for mixer_name in mixers_of(device):
        try:
            mixer = _open(mixer_name, wanted.control)
        except alsaaudio.ALSAAudioError as error:
            reasons.append(_why_not(mixer_name, error))
            continue
        try:
            failed = _set(mixer, kind, wanted)
        except alsaaudio.ALSAAudioError as error:
            failed = str(error)
        finally:
            mixer.close()
        return failed and f"mixer control {wanted.control!r} of {mixer_name!r} can't be set: {failed}"
    return f"mixer control {wanted.control!r} for {kind} device {device!r} is not set: {'; '.join(reasons)}"


def _open(mixer_name: str, control: str) -> Any:
    try:
        return alsaaudio.Mixer(control=control, device=mixer_name)
    except alsaaudio.ALSAAudioError:
        indexed = _INDEXED.fullmatch(control)
        if indexed is None:
            raise
        return alsaaudio.Mixer(control=indexed["name"], id=int(indexed["index"]), device=mixer_name)


def _why_not(mixer_name: str, error: Exception) -> str:
    """The controls there are, where the mixer is there."""
    with contextlib.suppress(alsaaudio.ALSAAudioError):
        names = sorted(set(alsaaudio.mixers(device=mixer_name)))
        return f"the mixer {mixer_name!r} has " + (", ".join(map(repr, names)) or "no control")
    return f"no mixer: {error}"


def _set(mixer: Any, kind: Literal["capture", "playback"], wanted: MixerLevel) -> str | None:
    capture = kind == "capture"
    of_kind = "Capture" if capture else "Playback"
    if wanted.level_percent is not None:
        if not {"Volume", f"{of_kind} Volume"} & set(mixer.volumecap()):
            return f"it has no {kind} level"
        direction = alsaaudio.PCM_CAPTURE if capture else alsaaudio.PCM_PLAYBACK
        mixer.setvolume(round(wanted.level_percent), alsaaudio.MIXER_CHANNEL_ALL, direction)
    if {"Mute", f"{of_kind} Mute"} & set(mixer.switchcap()):
        if capture:
            mixer.setrec(1)
        else:
            mixer.setmute(0)
    return None
