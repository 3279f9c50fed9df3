"""Processes that outlive the run which started them, as they left its group: found among our children, and ended."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Final

GRACE_S: Final = 2.0
"""From SIGTERM to SIGKILL."""
MARK: Final = "INGESTD_HOOK_RUN"
"""The environment variable that names the run; each has another."""

_LOOK_S: Final = 0.1
_ZOMBIE: Final = "Z"


class Strays:
    """One thread, for a process that adopts orphans (`process.adopt_orphans`) and whose children are runs, no others.

    A child that no run has is ended: a run has those of its session, and those with its mark in their environment, as
    long as it goes on. Until we have waited for a child its number is given to no other process. Times are
    CLOCK_MONOTONIC seconds.
    """

    def __init__(self) -> None:
        self._kill_s: dict[int, float] = {}
        self._grace_s = GRACE_S
        self.due_s: float | None = None
        """When `step` is to be called at the latest; None while there is nothing to look for."""

    def __len__(self) -> int:
        """How many there were when they were last looked for."""
        return len(self._kill_s)

    def look(self, now: float) -> None:
        """A run is over: `step` looks for what it has left."""
        self.due_s = now

    def hurry(self) -> None:
        """From now on they are given no time to end by themselves."""
        self._grace_s = 0.0
        self._kill_s = dict.fromkeys(self._kill_s, 0.0)

    def step(self, now: float, runs: Mapping[int, str]) -> None:
        """`runs`: the mark of each run that goes on, by the number of its program, for which others wait."""
        _reap(runs)
        if self.due_s is None or now < self.due_s:
            return
        found = {pid for pid, session in _children().items() if pid not in runs and not _is_of(pid, session, runs)}
        self._kill_s = {pid: kill_s for pid, kill_s in self._kill_s.items() if pid in found}
        for pid in found:
            if pid not in self._kill_s:
                self._kill_s[pid] = now + self._grace_s
                _signal(pid, signal.SIGTERM)
            if now >= self._kill_s[pid]:
                _signal(pid, signal.SIGKILL)
        # Whoever ends leaves us its own children.
        self.due_s = now + _LOOK_S if found else None


def _reap(runs: Mapping[int, str]) -> None:
    """Waits for children that have ended, but for programs of runs."""
    with contextlib.suppress(ChildProcessError):
        while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if ended.si_pid in runs:
                return  # the next time, then
            os.waitpid(ended.si_pid, os.WNOHANG)


def _children() -> dict[int, int]:
    """Ours that have not ended, and the session of each."""
    found = {}
    ours = str(os.getpid())
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            # Behind the name, which may hold anything: state, parent, group, session.
            state, parent, _, session = (
                Path(f"/proc/{name}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[:4]
            )
            if parent == ours and state != _ZOMBIE:
                found[int(name)] = int(session)
    return found


def _is_of(pid: int, session: int, runs: Mapping[int, str]) -> bool:
    if session in runs:
        return True
    with contextlib.suppress(OSError):
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        return any(f"{MARK}={mark}".encode() in environment for mark in runs.values())
    return False


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
