"""What ingestd-hooks asks of the kernel for its own process."""

from __future__ import annotations

import ctypes
import os
from typing import Final

_PR_SET_DUMPABLE: Final = 4
_PR_SET_CHILD_SUBREAPER: Final = 36


def hide_memory() -> None:
    """Programs of this user, as handlers are, can't read this process's memory, nor its environment. Raises OSError.

    It leaves no core dump either. What it starts is not hidden.
    """
    _prctl(_PR_SET_DUMPABLE, 0)


def adopt_orphans() -> None:
    """What descends from this process and has lost its parent becomes a child of this process. Raises OSError."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    given = (ctypes.c_ulong(value), *(ctypes.c_ulong(0) for _ in range(3)))
    if ctypes.CDLL(None, use_errno=True).prctl(ctypes.c_int(option), *given):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
