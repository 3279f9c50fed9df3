"""Names of ALSA devices: the same device through ALSA's conversions, and the mixer that belongs to it."""

from __future__ import annotations

import re
from typing import Final

_HARDWARE: Final = re.compile(r"(?:plug)?hw:(?:CARD=)?(?P<card>[^,'\"\s]+)")
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


def mixers_of(device: str) -> tuple[str, ...]:
    """Where the mixer of a device may be found, the likeliest first: its card's, one of its own name, the default."""
    found = _HARDWARE.search(device) or _OF_A_CARD.search(device)
    if found:
        return (f"hw:{found['card']}",)
    plugged = _PLUGGED.fullmatch(device)
    return tuple(dict.fromkeys((plugged["device"] if plugged else device, "default")))
