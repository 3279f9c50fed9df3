"""Looks for absent sound devices as the daemon does, but fast, and tells by how much memory grows.

`python -m tests.rig.failing_opens TIMES source=DEVICE sink=DEVICE`: a process of its own, so that nothing else
allocates; each device has a thread of its own. It prints the growth over the second half of TIMES in bytes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from ingestd.audio.alsa import AlsaSink, AlsaSource
from ingestd.errors import DeviceError
from tests.rig.resources import Resources


def look(device: AlsaSource | AlsaSink, times: int) -> None:
    """Fails where it is there."""
    for _ in range(times):
        try:
            device.open()
        except DeviceError:
            device.close()
        else:
            raise RuntimeError("the device is there")


def main(times: int, wanted: Sequence[str]) -> None:
    """The process itself."""
    kinds = {"source": AlsaSource, "sink": AlsaSink}
    devices = [kinds[kind](name) for kind, _, name in (word.partition("=") for word in wanted)]
    held_bytes = []
    with ThreadPoolExecutor(len(devices)) as pool:
        for _half in range(2):
            list(pool.map(look, devices, [times // 2] * len(devices)))
            held_bytes.append(Resources.of(os.getpid()).memory_bytes)
    print(held_bytes[1] - held_bytes[0])


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
