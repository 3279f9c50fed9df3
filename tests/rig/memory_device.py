"""The daemon with sound devices in memory, as a process of its own: `python -m tests.rig.memory_device CONFIG`.

Everything but the two ports is the daemon as it ships. On its way out it prints one JSON line for who started it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ingestd.config import load_config
from ingestd.control.client import ControlClient
from ingestd.core.times import Times
from ingestd.daemon import Daemon
from ingestd.system import journal
from ingestd.system.state_files import state_directory
from tests.rig.memory_ports import ClockedSink, NumberedSource
from tests.rig.process import wait_until

_REPO = Path(__file__).resolve().parents[2]
_GUARD_S = 30.0


class MemoryDevice:
    """That process, started, asked and stopped by a test. `prefix` goes before the command (`ip netns exec …`)."""

    def __init__(
        self,
        directory: Path,
        config: dict[str, Any],
        *,
        ppm: float = 0.0,
        speaker_ppm: float = 0.0,
        prefix: Sequence[str] = (),
        module: str = "tests.rig.memory_device",
        arguments: Sequence[str | Path] | None = None,
        times: Mapping[str, Any] | None = None,
    ) -> None:
        """`module` is the program, another one with devices of its own and with `arguments` of its own.

        `times` are fields of `Times`, shortened.
        """
        self.socket = directory / "control.sock"
        path = directory / "ingestd.yaml"
        path.write_text(json.dumps({**config, "control": {"socket": str(self.socket)}}))
        own = ("--ppm", str(ppm), "--speaker-ppm", str(speaker_ppm)) if arguments is None else arguments
        if times is not None:
            own = (*own, "--times", json.dumps(times))
        command = [*prefix, sys.executable, "-m", module, str(path), *map(str, own)]
        self.log_path = directory / "device.log"
        state = directory / "state"
        state.mkdir(exist_ok=True)
        env = {**os.environ, "STATE_DIRECTORY": str(state)}
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=_REPO, env=env, stdout=subprocess.PIPE, stderr=log, text=True)

    def status(self) -> dict[str, Any]:
        """What `ingestctl --json status` shows."""
        with ControlClient(self.socket, _GUARD_S) as client:
            status: dict[str, Any] = client.call("status")
            return status

    def counted_status(self) -> dict[str, Any]:
        """The same, once what a stall of this machine cost is counted: silence goes out before that is known."""
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: (up := self.status()["uplink"])["dropped"] >= up["silence"], 10, "the count", every=0.1)
        return self.status()

    @property
    def log(self) -> str:
        """What the daemon logged so far."""
        return self.log_path.read_text()

    def stop(self) -> dict[str, Any]:
        """Ends it by SIGTERM; what it printed: `start_s`, `frame_s` of its microphone, `exit`, the last `uplink`."""
        if self.process.poll() is None:
            self.process.terminate()
        out, _ = self.process.communicate(timeout=_GUARD_S)
        answer: dict[str, Any] = json.loads(out) if out else {"exit": self.process.returncode}
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def device_config(base_url: str, token: str, ca_file: Path | None, directory: Path, **session: Any) -> dict[str, Any]:
    """A configuration for a stand-in at `base_url`; the token goes into a file in `directory`."""
    token_file = directory / "token"
    token_file.write_text(token)
    token_file.chmod(0o600)
    return {
        "backend": {
            "url": f"{base_url}/v2/ingest/sessions",
            "token_file": str(token_file),
            "ca_file": str(ca_file) if ca_file else None,
        },
        "session": {"room_id": "abcd-efgh-ijkl", "participant": {"id": "device", "metadata": {}}, **session},
        "log": {"level": "debug"},
    }


def _times(text: str) -> Times:
    fields: dict[str, Any] = json.loads(text)
    for name, value in fields.items():
        fields[name] = tuple(value) if isinstance(value, list) else value  # JSON has no tuples
    return Times(**fields)


def main() -> int:
    """The process itself."""
    parser = argparse.ArgumentParser()
    parser.add_argument("config", type=Path)
    parser.add_argument("--ppm", type=float, default=0.0)
    parser.add_argument("--speaker-ppm", type=float, default=0.0)
    parser.add_argument("--times", type=_times, metavar="JSON", help="fields of Times")
    arguments = parser.parse_args()
    config = load_config(arguments.config)
    journal.set_up(config.log.level)
    source = NumberedSource(arguments.ppm)
    more: dict[str, Any] = {} if arguments.times is None else {"times": arguments.times}
    daemon = Daemon(config, source, ClockedSink(ppm=arguments.speaker_ppm), state=(state_directory(),), **more)
    code = daemon.run()
    told = {"start_s": source.start_s, "frame_s": source.frame_s, "exit": code}
    print(json.dumps({**told, "uplink": daemon.status()["uplink"]}))
    return code


if __name__ == "__main__":
    sys.exit(main())
