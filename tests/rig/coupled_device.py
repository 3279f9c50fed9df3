"""The daemon with a loudspeaker that its microphone hears, as a process: `python -m tests.rig.coupled_device CONFIG`.

On its way out it writes what was played and what the microphone heard to FOLDER, and prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Final

import numpy as np

from ingestd.config import load_config
from ingestd.daemon import Daemon
from ingestd.system import journal
from tests.rig.coupled_ports import Air, CoupledSink, CoupledSource

NEAR: Final = "near"
"""A file in FOLDER, there from when the near voice begins."""
_LONGEST_S: Final = 90.0


def main() -> int:
    """The process itself; `near_s` in its line is when the near voice began (CLOCK_MONOTONIC)."""
    parser = argparse.ArgumentParser()
    parser.add_argument("config", type=Path)
    parser.add_argument("--near", type=Path, required=True, help="raw samples that somebody beside the device says")
    parser.add_argument("--after-loud", type=int, required=True, help="once so many loud samples were played,")
    parser.add_argument("--after-s", type=float, required=True, help="and so long after the last of them")
    parser.add_argument("--keep", type=Path, required=True, metavar="FOLDER")
    arguments = parser.parse_args()
    config = load_config(arguments.config)
    journal.set_up(config.log.level)
    near = np.frombuffer(arguments.near.read_bytes(), np.int16)
    air = Air(_LONGEST_S, near, arguments.after_s, arguments.after_loud)
    air.on_near = (arguments.keep / NEAR).touch
    code = Daemon(config, CoupledSource(air), CoupledSink(air)).run()
    (arguments.keep / "played.raw").write_bytes(air.played.tobytes())
    (arguments.keep / "heard.raw").write_bytes(air.heard.tobytes())
    near_s = None if air.near_at is None else air.begun_s + air.near_at / 8000
    print(json.dumps({"begun_s": air.begun_s, "near_s": near_s, "exit": code}))
    return code


if __name__ == "__main__":
    sys.exit(main())
