"""The daemon's own command with sound devices in memory in place of ALSA's; all else is as it ships.

    python looped_device.py AUDIO.pcm STAMPS [the command's own arguments…]

Where STAMPS is not `-`, that file gets when each read of a frame returned: doubles, CLOCK_REALTIME seconds.
"""

from __future__ import annotations

import sys
from array import array
from pathlib import Path
from types import ModuleType

from tests.bench.peers.looped_ports import LoopedSource, TimedSink


def main() -> int:
    """The command; nothing is imported here that it would not import itself."""
    audio, stamps_path, *arguments = sys.argv[1:]
    stamps_s = array("d") if stamps_path != "-" else None
    ports = ModuleType("ingestd.audio.alsa")
    ports.source_of = lambda *_: LoopedSource(Path(audio).read_bytes(), stamps_s)  # type: ignore[attr-defined]  # a stand-in module
    ports.AlsaSink = lambda *_: TimedSink()  # type: ignore[attr-defined]  # the same
    ports.MixerLevel = object  # type: ignore[attr-defined]  # the same
    sys.modules[ports.__name__] = ports
    from ingestd.__main__ import main as command

    code = command(arguments)
    if stamps_s is not None:
        Path(stamps_path).write_bytes(stamps_s.tobytes())
    return code


if __name__ == "__main__":
    sys.exit(main())
