"""What the name of a sound device promises: the same device after every boot, and for the daemon's user too."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Literal

from ingestd.audio.proc_asound import PROC_ASOUND
from ingestd.audio.proc_cards import card_pcms
from ingestd.core.check import Check, warning

_BY_NUMBER: Final = re.compile(r"(?:plug)?hw:(?:CARD=)?\d")
_OF_A_SERVER: Final = ("default", "pulse", "pipewire", "jack")


def judged_name(
    name: str, kind: Literal["capture", "playback"], device: str, proc_asound: Path = PROC_ASOUND
) -> Check | None:
    """A warning where it may become another device, or none; else None."""
    pcms = card_pcms(kind, proc_asound)
    if _BY_NUMBER.match(device):
        better = next((pcm.alsa_name for pcm in pcms if pcm.is_called(device)), "plughw:CARD=NAME")
        said = f"{device!r} goes by the number of its card, which changes as cards are plugged in"
        return warning(f"{name}'s name", said, f"give audio.{kind}.device: {better}")
    if device in _OF_A_SERVER:
        said = f"{device!r} is whatever this machine's settings, or a user's sound server, make of it"
        there = " or ".join(pcm.alsa_name for pcm in pcms) or "plughw:CARD=NAME"
        remedy = f"nothing to do where it works for the daemon's user; else give audio.{kind}.device: {there}"
        return warning(f"{name}'s name", said, remedy)
    return None
