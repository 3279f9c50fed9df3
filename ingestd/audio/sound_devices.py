"""The devices there are to choose from: every PCM of every card, then what else ALSA's configuration has."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal, NamedTuple

from ingestd.audio import libasound
from ingestd.audio.alsa_names import through_plug
from ingestd.audio.proc_asound import PROC_ASOUND
from ingestd.audio.proc_cards import PROC, CardPcm, User, card_pcms

_DEFAULT: Final = "default"
_CONVERTERS: Final = frozenset({"lavrate", "samplerate", "speexrate", "speex", "upmix", "vdownmix"})
"""What ALSA's plugins list as devices, though they only convert for another."""


class SoundDevice(NamedTuple):
    """A PCM that can be named in the configuration."""

    name: str
    """What to put there."""
    kind: Literal["capture", "playback"]
    description: str
    """One line, of any characters."""
    users: tuple[User, ...] = ()
    """Who has it open, as far as can be seen."""
    pcm: CardPcm | None = None
    """None where it is no card's."""

    def is_called(self, device: str) -> bool:
        """Whether `device`, a name of ALSA's, stands for this one."""
        return device == self.name or (self.pcm is not None and self.pcm.is_called(device))


def sound_devices(
    kind: Literal["capture", "playback"], root: Path = PROC_ASOUND, proc: Path = PROC
) -> list[SoundDevice]:
    """All of one direction. Reads ALSA's configuration and /proc, opens no device."""
    found = [
        SoundDevice(pcm.alsa_name, kind, ": ".join(filter(None, (pcm.card_name, pcm.name))), pcm.users, pcm)
        for pcm in card_pcms(kind, root, proc)
    ]
    hints = [
        hint
        for hint in libasound.hints()
        if (hint.capture if kind == "capture" else hint.playback)
        and hint.name not in _CONVERTERS
        and "CARD=" not in hint.name  # another name for a card's, which stands above by its best
    ]
    if _DEFAULT not in (hint.name for hint in hints):
        found.append(SoundDevice(_DEFAULT, kind, "what ALSA's configuration takes where nothing is named"))
    return found + [SoundDevice(hint.name, kind, hint.description) for hint in hints]


def same_device(one: str, other: str) -> bool:
    """Whether two names are of the same device, as they are or through ALSA's conversion."""
    return one == other or through_plug(one) == other or one == through_plug(other)
