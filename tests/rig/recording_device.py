"""As `memory_device`, and more: it keeps what its speaker played, and reads its configuration anew when told to.

`python -m tests.rig.recording_device CONFIG --played FILE --state DIRECTORY [--times JSON]`
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingestd.config.lastgood import LastGood
from ingestd.config.load import read_config
from ingestd.config.reload import Reloader
from ingestd.core.times import Times
from ingestd.daemon import Daemon
from ingestd.system import journal
from ingestd.system.state_files import write_state
from tests.rig.memory_device import MemoryDevice
from tests.rig.memory_ports import ClockedSink, NumberedSource

_KEEP_S = 600.0


class RecordingDevice(MemoryDevice):
    """That process, started, asked and stopped by a test."""

    def __init__(self, directory: Path, config: dict[str, Any], times: Mapping[str, Any] | None = None) -> None:
        self._played = directory / "played.raw"
        state = directory / "state"
        state.mkdir()
        arguments = ("--played", self._played, "--state", state)
        module = "tests.rig.recording_device"
        super().__init__(directory, config, module=module, arguments=arguments, times=times or {})
        self.config_path = directory / "ingestd.yaml"

    @property
    def played(self) -> NDArray[np.int16]:
        """What the speaker played, once the process has ended."""
        return np.frombuffer(self._played.read_bytes(), dtype="<i2")

    def write_config(self, config: dict[str, Any]) -> None:
        """Another configuration, with the same control socket; nothing reads it yet."""
        self.config_path.write_text(json.dumps({**config, "control": {"socket": str(self.socket)}}))


def main() -> int:
    """The process itself."""
    parser = argparse.ArgumentParser()
    parser.add_argument("config", type=Path)
    parser.add_argument("--played", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--times", type=json.loads, required=True, metavar="JSON", help="fields of Times, numbers only")
    arguments = parser.parse_args()
    valid = read_config(arguments.config)
    journal.set_up(valid.config.log.level)
    source, sink = NumberedSource(), ClockedSink(keep_s=_KEEP_S)
    reloader = Reloader(arguments.config, LastGood(arguments.state, write_state), valid)
    times = Times(**arguments.times)
    daemon = Daemon(valid.config, source, sink, path=arguments.config, reloader=reloader, times=times)
    code = daemon.run()
    arguments.played.write_bytes(sink.played)
    told = {"start_s": source.start_s, "frame_s": source.frame_s, "exit": code}
    print(json.dumps({**told, "uplink": daemon.status()["uplink"]}))
    return code


if __name__ == "__main__":
    sys.exit(main())
