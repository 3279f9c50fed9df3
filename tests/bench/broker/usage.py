"""Processor time of a process with all that it started, as the kernel counts it (proc(5)); ended children included."""

from __future__ import annotations

import os
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """Since its start, in steps of 10 ms; 0 for one that has just ended."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        children = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    # utime, stime, cutime, cstime
    return sum(map(int, words[11:15])) / _TICKS_PER_S + sum(map(cpu_s, children))
