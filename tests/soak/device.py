"""The soak's device: the daemon as it ships, with a microphone and a speaker in memory that can be unplugged.

`python -m tests.soak.device CONFIG FOLDER`. A file in the folder says that a device is away; another one tells when
the speaker was first heard after each time it was opened.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Literal

from ingestd.audio.ports import Block, Negotiated
from ingestd.config import load_config
from ingestd.core.wire import FRAME_SAMPLES, SAMPLE_RATE_HZ
from ingestd.daemon import Daemon
from ingestd.errors import DeviceError
from ingestd.system import journal
from tests.rig.memory_ports import ClockedSink, numbered_frame

Device = Literal["microphone", "speaker"]

_FRAME_S = FRAME_SAMPLES / SAMPLE_RATE_HZ


class Plugs:
    """What both sides know of the folder. The run's side unplugs, the device's side looks. Any thread."""

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


class PluggedSource:
    """A microphone whose frames bear their numbers on one grid for ever, plugged in or not (`ports.Source`)."""

    def __init__(self, plugs: Plugs) -> None:
        self._plugs = plugs
        self._start_s = time.monotonic()
        self._number = 0

    def open(self) -> Negotiated:
        """See `ports.Source`."""
        self._plugs.check("microphone")
        self._number = int((time.monotonic() - self._start_s) / _FRAME_S)
        return Negotiated("numbered", FRAME_SAMPLES, 20 * FRAME_SAMPLES)

    def read(self, timeout_s: float) -> Block | None:
        """See `ports.Source`."""
        self._plugs.check("microphone")
        self._number += 1
        time.sleep(max(0.0, self._start_s + self._number * _FRAME_S - time.monotonic()))
        return Block(numbered_frame(self._number), time.monotonic(), False)

    def close(self) -> None:
        """See `ports.Source`."""


class PluggedSink(ClockedSink):
    """A speaker that says when it was first given something to play (`ports.Sink`)."""

    def __init__(self, plugs: Plugs) -> None:
        super().__init__()
        self._plugs = plugs
        self._fresh = False

    def open(self) -> Negotiated:
        """See `ports.Sink`."""
        self._plugs.check("speaker")
        self._fresh = True
        return super().open()

    def queued(self) -> int:
        """See `ports.Sink`."""
        self._plugs.check("speaker")
        return super().queued()

    def write(self, pcm: bytes) -> int:
        """See `ports.Sink`."""
        self._plugs.check("speaker")
        if self._fresh and any(pcm):
            self._fresh = False
            self._plugs.note_heard()
        return super().write(pcm)


def main() -> int:
    """The process itself."""
    parser = argparse.ArgumentParser()
    parser.add_argument("config", type=Path)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    config = load_config(arguments.config)
    journal.set_up(config.log.level)
    plugs = Plugs(arguments.folder)
    code = Daemon(config, PluggedSource(plugs), PluggedSink(plugs)).run()
    print(json.dumps({"exit": code}))
    return code


if __name__ == "__main__":
    sys.exit(main())
