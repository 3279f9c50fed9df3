"""The soak's device: the daemon as it ships, with a microphone and a speaker in memory that can be unplugged.

`python -m tests.soak.device CONFIG FOLDER`; the folder is where its plugs are (`tests.soak.plugs`).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from ingestd.audio.ports import Block, Negotiated
from ingestd.config import load_config
from ingestd.core.wire import FRAME_SAMPLES, SAMPLE_RATE_HZ
from ingestd.daemon import Daemon
from ingestd.system import journal
from tests.rig.memory_ports import ClockedSink, numbered_frame
from tests.soak.plugs import Plugs

_FRAME_S = FRAME_SAMPLES / SAMPLE_RATE_HZ


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
