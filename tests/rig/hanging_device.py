"""`memory_device` that hangs for good at SIGUSR2: a call that keeps the interpreter's lock and never returns."""

from __future__ import annotations

import ctypes
import signal
import sys

from tests.rig.memory_device import main

if __name__ == "__main__":
    signal.signal(signal.SIGUSR2, lambda _number, _frame: ctypes.PyDLL(None).pause())
    sys.exit(main())
