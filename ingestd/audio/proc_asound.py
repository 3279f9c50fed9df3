"""What the sound hardware itself runs at, behind all that ALSA converts: read from /proc/asound.

/proc/asound/card*/pcm*/sub*/hw_params has the hardware's own parameters and `status` beside it, as owner_pid, the
thread that opened it (Documentation/sound/designs/procfile.rst of the kernel). Devices of a sound server are opened by
the server, so nothing is found for them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Literal, NamedTuple

PROC_ASOUND: Final = Path("/proc/asound")
_MAPS: Final = Path("/proc/self/maps")
_RATE_PLUGIN: Final = re.compile(r"/libasound_module_rate_(\w+)\.so")
LINEAR: Final = "linear"
"""libasound's own converter, which it falls back to where no plugin is installed: it interpolates, and does no more."""


class Hardware(NamedTuple):
    """The parameters of one substream of a card."""

    rate_hz: int
    channels: int


def hardware_of(
    direction: Literal["capture", "playback"], thread_id: int, root: Path = PROC_ASOUND
) -> Hardware | None:
    """The hardware that a thread (`threading.get_native_id`) has open; None where it has none or more than one."""
    found: list[Hardware] = []
    for status in root.glob(f"card[0-9]*/pcm*{direction[0]}/sub*/status"):
        if fields(status).get("owner_pid") != str(thread_id):
            continue
        parameters = fields(status.with_name("hw_params"))
        rate_hz, channels = _number(parameters.get("rate")), _number(parameters.get("channels"))
        if rate_hz and channels:
            found.append(Hardware(rate_hz, channels))
    return found[0] if len(found) == 1 else None


def rate_converter(maps: Path = _MAPS) -> str | None:
    """What converts rates for ALSA in this process: a plugin of its (speexrate, …), or "linear", its own poor one.

    None where nobody can tell. Call it while a device is open that needs conversion.
    """
    try:
        names = sorted(set(_RATE_PLUGIN.findall(maps.read_text(errors="replace"))))
    except OSError:
        return None
    return "+".join(names) or LINEAR


def fields(path: Path) -> dict[str, str]:
    """`name: value` by line; nothing where the file is not there any more or says "closed"."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in lines)
    return {name.strip(): value.strip() for name, colon, value in pairs if colon}


def _number(value: str | None) -> int | None:
    """The whole number that a value begins with: rates read `48000 (48000/1)`."""
    found = re.match(r"\d+", value or "")
    return int(found[0]) if found else None
