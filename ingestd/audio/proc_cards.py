"""Which sound cards there are, their PCMs, and who has them open: read from /proc/asound and /proc.

card*/id, card*/pcm*/info and card*/pcm*/sub*/status (Documentation/sound/designs/procfile.rst of the kernel).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Literal, NamedTuple

from ingestd.audio.alsa_names import card_and_device
from ingestd.audio.proc_asound import PROC_ASOUND, fields

PROC: Final = Path("/proc")
_CARD_LINE: Final = re.compile(r"\s*(?P<number>\d+)\s+\[.*?\]:\s*(?P<name>.*)")


class User(NamedTuple):
    """A process that has a PCM open."""

    pid: int
    command: str
    """Its short name, of any characters."""

    def __str__(self) -> str:
        return f"{self.command} (pid {self.pid})"


class CardPcm(NamedTuple):
    """One PCM of a card, in one direction."""

    card_number: int
    card_id: str
    """Stays the same when the card is plugged in again; the number does not."""
    card_name: str
    device: int
    kind: Literal["capture", "playback"]
    name: str
    users: tuple[User, ...]

    @property
    def alsa_name(self) -> str:
        """What to put into the configuration: by the card's id, and converted to what ingestd needs."""
        return f"plughw:CARD={self.card_id},DEV={self.device}"

    def is_called(self, device: str) -> bool:
        """Whether a name of ALSA's is that of this very PCM."""
        found = card_and_device(device)
        return found is not None and found[0] in (self.card_id, str(self.card_number)) and found[1] == self.device


def card_pcms(
    kind: Literal["capture", "playback"], root: Path = PROC_ASOUND, proc: Path = PROC
) -> list[CardPcm]:
    """The PCMs of all cards in one direction, by card and device; empty where there is no card."""
    names = _card_names(root)
    found = []
    for info in root.glob(f"card[0-9]*/pcm*{kind[0]}/info"):
        said = fields(info)
        card, device = said.get("card", ""), said.get("device", "")
        if not (card.isdecimal() and device.isdecimal()):
            continue  # it went away meanwhile
        users = {user for status in info.parent.glob("sub*/status") if (user := _user(status, proc)) is not None}
        found.append(
            CardPcm(
                card_number=int(card),
                card_id=_line(info.parents[1] / "id") or card,
                card_name=names.get(card, ""),
                device=int(device),
                kind=kind,
                name=said.get("name") or said.get("id", ""),
                users=tuple(sorted(users)),
            )
        )
    return sorted(found)


def users_of(
    device: str, kind: Literal["capture", "playback"], root: Path = PROC_ASOUND, proc: Path = PROC
) -> tuple[User, ...]:
    """Who has the hardware open that a name of ALSA's stands for; nobody where that can't be told."""
    return next((pcm.users for pcm in card_pcms(kind, root, proc) if pcm.is_called(device)), ())


def _card_names(root: Path) -> dict[str, str]:
    """Number → the name for people, which stands behind the driver's."""
    try:
        lines = (root / "cards").read_text(errors="replace").splitlines()
    except OSError:
        return {}
    matches = (match for line in lines if (match := _CARD_LINE.match(line)))
    return {match["number"]: match["name"].partition(" - ")[2] or match["name"] for match in matches}


def _user(status: Path, proc: Path) -> User | None:
    """The kernel tells the thread that opened it; a person knows the process."""
    thread = fields(status).get("owner_pid", "")
    if not thread.isdecimal():
        return None
    pid = fields(proc / thread / "status").get("Tgid", thread)
    return User(int(pid), _line(proc / pid / "comm") or "a process that has gone")


def _line(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
