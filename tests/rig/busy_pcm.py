"""ALSA devices that another program has: opening them fails as on hardware, by EBUSY, until it lets go."""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path
from typing import Final

_SOURCE: Final = Path(__file__).with_suffix(".c")


class OtherProgram:
    """Holds sound devices. Each is another name for a device that ALSA knows already."""

    def __init__(self, folder: Path) -> None:
        """Builds the ALSA plugin in `folder`; holds nothing yet."""
        self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        self._folder = folder
        self._plugin = folder / "libasound_module_pcm_busy.so"
        subprocess.run(["gcc", "-shared", "-fPIC", "-DPIC", "-o", self._plugin, _SOURCE, "-lasound"], check=True)

    def alsa_definition(self, **devices: str) -> str:
        """ALSA settings in which each keyword names a device that it can hold."""
        lines = [f'pcm_type.busy {{ lib "{self._plugin}" }}']
        lock = self._folder / "lock"
        for name, device in devices.items():
            lines.append(f'pcm.{name} {{ type busy lock "{lock}" slave "{device}" }}')
        return "\n".join([*lines, ""])

    def hold(self) -> None:
        """Nobody else can open them."""
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def let_go(self) -> None:
        """Everybody can."""
        fcntl.flock(self._lock, fcntl.LOCK_UN)
