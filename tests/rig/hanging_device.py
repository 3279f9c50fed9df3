"""`memory_device` that hangs for good at SIGUSR2: a call that keeps the interpreter's lock and never returns."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

from tests.rig.memory_device import main

TELLS = "hanging from now on"


def _hang(_number: int, _frame: object) -> None:
    os.write(2, f"{TELLS}\n".encode())
    ctypes.PyDLL(None).pause()


if __name__ == "__main__":
    signal.signal(signal.SIGUSR2, _hang)
    sys.exit(main())
