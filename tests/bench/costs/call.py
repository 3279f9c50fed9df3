"""A call to measure: somebody speaks in a room without end, and the daemon is in it, with sound devices in memory."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ingestd.control.client import ControlClient
from ingestd.core.wire import FRAME_BYTES
from tests.bench import installed
from tests.bench.peers.usage import Look
from tests.rig.memory_device import device_config
from tests.rig.process import end
from tests.rig.speech import TEXTS, speak
from tests.standin.client import StandIn

REPO: Final = installed.REPO
DEVICE: Final = REPO / "tests/bench/costs/device.py"
FRAMES_PER_S: Final = 50.0
"""Each way; those up by the clock of the microphone in memory."""
SETTLED_S: Final = 3.0
"""After joining the room: what comes later comes all day."""
QUICK_SETTLED_S: Final = 1.0
"""Where seconds are to prove nothing."""


@dataclass(frozen=True)
class Call:
    """The daemon in its room. One thread."""

    room: StandIn
    speaker: str
    """Who speaks."""
    process: subprocess.Popen[bytes]
    socket: Path
    """The daemon's control socket."""
    index: int
    """Which of the room's calls it is."""

    def threads(self) -> dict[int, str]:
        """Name by thread id, of those that live now."""
        found = {}
        for folder in Path(f"/proc/{self.process.pid}/task").iterdir():
            with contextlib.suppress(OSError):  # it has just ended
                found[int(folder.name)] = (folder / "comm").read_text().strip()
        return found

    def look(self) -> Look:
        """What its threads have used so far."""
        return Look(self.process.pid)

    def concealed(self) -> int:
        """How often it has filled a gap in what it plays. Costs it an answer."""
        with ControlClient(self.socket) as client:
            return int(client.call("status")["downlink"]["concealed"])

    def frames(self) -> tuple[int, int]:
        """Frames so far at the service: (up, down)."""
        info = self.room.call(self.index)
        return info.received_frames, info.sent_frames


@contextlib.contextmanager
def busy_room(tls: bool) -> Iterator[tuple[StandIn, str]]:
    """A room in which somebody speaks without end, and who that is."""
    with StandIn(tls=tls) as room:
        speaker = room.add("Ann", recording=False)
        room.say(speaker, speak(TEXTS[0]).tobytes(), loop=True)
        yield room, speaker


def device_files(room: StandIn, folder: Path) -> list[str]:
    """Writes all that a device needs into `folder`; the arguments of `looped_device` for it."""
    whole = device_config(room.base_url, room.token, room.ca_file, folder)
    whole |= {"log": {"level": "info"}, "control": {"socket": str(folder / "control.sock")}}
    (folder / "ingestd.yaml").write_text(json.dumps(whole))
    (folder / "state").mkdir(exist_ok=True)
    audio = speak(TEXTS[0]).tobytes()
    (folder / "audio.pcm").write_bytes(audio[: len(audio) // FRAME_BYTES * FRAME_BYTES])
    return [str(folder / "audio.pcm"), "-", "--config", str(folder / "ingestd.yaml")]


def environment(folder: Path) -> dict[str, str]:
    """As an installed daemon has it, with its modules."""
    return {**os.environ, **installed.environment(), "STATE_DIRECTORY": str(folder / "state")}


@contextlib.contextmanager
def busy_call(tls: bool, settled_s: float = SETTLED_S, counting: Sequence[str] = ("-",)) -> Iterator[Call]:
    """The daemon in a busy room, settled. `counting` are the first arguments of `device.py`."""
    with busy_room(tls) as (room, speaker), tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        device = device_files(room, folder)
        command: list[str | Path] = [sys.executable, DEVICE, *counting, *device]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, cwd=REPO, env=environment(folder), stderr=log)
        try:
            room.wait_joined()
            time.sleep(settled_s)
            yield Call(room, speaker, process, folder / "control.sock", len(room.calls()) - 1)
            if process.poll() is not None:
                raise RuntimeError("the daemon did not live to the end of the measurement")
        except BaseException:
            sys.stderr.write((folder / "log").read_text())
            raise
        finally:
            end(process)
