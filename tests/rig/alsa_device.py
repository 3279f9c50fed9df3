"""The daemon as it ships, on ALSA devices, as a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ingestd.control.client import ControlClient
from tests.rig.memory_device import device_config
from tests.rig.process import end, spawn
from tests.standin.control import Control

_REPO = Path(__file__).resolve().parents[2]
_GUARD_S = 30.0


class AlsaDevice:
    """That process, asked by a test. Any thread."""

    def __init__(self, socket: Path, log: Path, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._socket = socket
        self._log = log

    def status(self) -> dict[str, Any]:
        """What `ingestctl --json status` shows."""
        with ControlClient(self._socket, _GUARD_S) as client:
            status: dict[str, Any] = client.call("status")
            return status

    def lost(self, kind: str) -> bool:
        """Whether the status calls the device lost; `kind` is capture or playback."""
        return bool(self.status()["devices"][kind]["lost"])

    def log(self) -> str:
        """What it logged so far."""
        return self._log.read_text()


@contextmanager
def alsa_device(
    room: Control, folder: Path, capture: str = "mic", playback: str = "speaker", level: str = "info"
) -> Iterator[AlsaDevice]:
    """Runs the daemon in the stand-in's room on two ALSA devices, by name; it has to end well at the end.

    The environment has to name the devices (the fixture `sound` does); the daemon dies with the calling thread.
    """
    config = device_config(room.base_url, room.token, room.ca_file, folder)
    config["audio"] = {"capture": {"device": capture}, "playback": {"device": playback}}
    config["control"] = {"socket": str(folder / "control.sock")}
    config["log"] = {"level": level}
    path = folder / "ingestd.yaml"
    path.write_text(json.dumps(config))
    with (folder / "log").open("wb") as stderr:
        process = spawn([sys.executable, "-m", "ingestd", "--config", path], stderr=stderr, cwd=_REPO)
    try:
        yield AlsaDevice(folder / "control.sock", folder / "log", process)
        assert end(process, _GUARD_S) == 0
    finally:
        end(process)
