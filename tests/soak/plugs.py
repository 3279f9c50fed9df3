"""How a run unplugs the sound devices of another process: by files in a folder that both know."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

from ingestd.errors import DeviceError

Device = Literal["microphone", "speaker"]


class Plugs:
    """The folder. The run unplugs and plugs in, the device looks. Any thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._heard = folder / "heard"

    def unplug(self, device: Device) -> None:
        """From now on it can neither be used nor opened."""
        (self._folder / device).touch()

    def plug_in(self, device: Device) -> None:
        """It is there again."""
        (self._folder / device).unlink(missing_ok=True)

    def check(self, device: Device) -> None:
        """Raises DeviceError while it is unplugged."""
        if (self._folder / device).exists():
            raise DeviceError(f"the {device} was unplugged: plug it in again")

    def note_heard(self) -> None:
        """The speaker, just opened, is given its first samples."""
        with self._heard.open("a") as file:
            file.write(f"{time.monotonic()}\n")

    def heard_s(self) -> list[float]:
        """When that was, each time; CLOCK_MONOTONIC."""
        return [float(line) for line in self._heard.read_text().splitlines()] if self._heard.exists() else []
