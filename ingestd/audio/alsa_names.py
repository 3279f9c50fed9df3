"""Names of ALSA devices: the same device through ALSA's conversions, and the mixer that belongs to it."""

from __future__ import annotations

import re
from typing import Final

_HARDWARE: Final = re.compile(r"(?:plug)?hw:(?:CARD=)?(?P<card>[^,'\"\s]+)")
_CARD_AND_DEVICE: Final = re.compile(r"(?:plug)?hw:(?:CARD=)?(?P<card>[^,'\"\s]+)(?:,(?:DEV=)?(?P<device>\d+).*)?")
_PLUGGED: Final = re.compile(r"plug:(?:SLAVE=)?(['\"]?)(?P<device>.+?)\1")
_OF_A_CARD: Final = re.compile(r"\bCARD=(?P<card>[^,'\"\s]+)")


def through_plug(device: str) -> str | None:
    """The device behind ALSA's conversion of rate, format and channels; None where its name asks for that already."""
    if device.startswith(("plug:", "plughw:")):
        return None
    if device.startswith("hw:"):
        return "plug" + device
    escaped = device.replace("\\", "\\\\").replace("'", "\\'")
    return f"plug:'{escaped}'"


def card_and_device(device: str) -> tuple[str, int] | None:
    """The card (its id or number) and the PCM of it that a name stands for; None for names of another kind."""
    found = _CARD_AND_DEVICE.fullmatch(device)
    return (found["card"], int(found["device"] or 0)) if found else None


def mixers_of(device: str) -> tuple[str, ...]:
    """Where the mixer of a device may be found, the likeliest first: its card's, one of its own name, the default."""
    found = _HARDWARE.search(device) or _OF_A_CARD.search(device)
    if found:
        return (f"hw:{found['card']}",)
    plugged = _PLUGGED.fullmatch(device)
    return tuple(dict.fromkeys((plugged["device"] if plugged else device, "default")))
