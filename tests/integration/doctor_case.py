"""A device for doctor to look at: its folder, whoever runs the command in a terminal, and what is seen there."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tests.rig.memory_device import device_config
from tests.rig.terminal import Terminal
from tests.rig.wav import tone
from tests.standin.client import StandIn

INGESTCTL = [sys.executable, "-m", "ingestd.ctl.main"]
SKIPPED = "\N{EN DASH}"
_SILENT_DBFS = -60.0
REPO = Path(__file__).resolve().parents[2]


@dataclass
class Result:
    """What a person saw."""

    status: int
    lines: list[str]
    output: bytes

    def remedy_of(self, line: str) -> str:
        """What stands below the line that begins so; it has to be there."""
        place = next((number for number, shown in enumerate(self.lines) if shown.startswith(line)), None)
        assert place is not None, "\n".join(self.lines)
        below = self.lines[place + 1]
        return below.strip() if below.startswith("    → ") else ""

    @property
    def failed(self) -> list[str]:
        """The names of what failed."""
        return [line[2:].partition(":")[0] for line in self.lines if line.startswith("✗")]


@dataclass
class Desk:
    """A device's folder, and whoever looks after it."""

    folder: Path
    config: dict[str, Any]
    env: dict[str, str]
    prefix: list[str] = field(default_factory=list)
    text: str | None = None
    """The configuration's, where it is not `config`."""

    @property
    def token_file(self) -> Path:
        return self.folder / "token"

    def doctor(self, *arguments: str, env: dict[str, str] | None = None) -> Result:
        """Runs it in a terminal; a question about a tone is answered by Enter."""
        path = self.folder / "doctor.yaml"
        path.write_text(json.dumps(self.config, indent=1) if self.text is None else self.text)
        command = [*self.prefix, *INGESTCTL, "doctor", "--config", str(path), *arguments]
        environment = {**self.env, "STATE_DIRECTORY": str(self.folder), "LC_ALL": "C.UTF-8", **(env or {})}
        # Typed later, it would be shown in the midst of what is written, or find that all has ended.
        with Terminal(command, columns=500, lines=60, env=environment, cwd=REPO, typed="\r") as terminal:
            status = terminal.status(90)
            return Result(status, [line for line in terminal.screen() if line], terminal.output)


def instant_devices(folder: Path) -> dict[str, str]:
    """ALSA devices that take no time: a microphone that plays a file, one that is silent, a speaker. Environment."""
    (folder / "speech.raw").write_bytes(np.repeat(tone(440, 20, 0.2), 2).tobytes())  # two channels
    (folder / "silence.raw").write_bytes(bytes(1_000_000))
    (folder / "alsa.conf").write_text(
        "</usr/share/alsa/alsa.conf>\n"
        f'pcm.!mic {{ type file slave.pcm null file /dev/null infile "{folder}/speech.raw" format raw }}\n'
        f'pcm.!quiet {{ type file slave.pcm null file /dev/null infile "{folder}/silence.raw" format raw }}\n'
        "pcm.!speaker { type null }\n"
    )
    return {"ALSA_CONFIG_PATH": str(folder / "alsa.conf")}


def sounds(status: dict[str, Any]) -> bool:
    """Whether both sound devices are open, and the microphone hears something: each comes by a thread of its own."""
    lost = any(device["lost"] for device in status["devices"].values())
    return not lost and status["uplink"]["peak_dbfs"] > _SILENT_DBFS


@contextmanager
def desk_of(standin: StandIn, env: dict[str, str], folder: Path) -> Iterator[Desk]:
    """A device that would be well: its daemon is stopped."""
    config = device_config(standin.base_url, standin.token, standin.ca_file, folder)
    config["audio"] = {"capture": {"device": "mic"}, "playback": {"device": "speaker"}}
    config["control"] = {"socket": str(folder / "control.sock")}
    yield Desk(folder, config, env)
    standin.reset()
