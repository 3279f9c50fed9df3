"""ingestd-hooks as a process of its own, started, told and stopped by a test."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.rig.process import end, spawn, state_of, wait_until

_REPO = Path(__file__).resolve().parents[2]
_WITHIN_S = 30.0


def append_to(path: Path) -> list[str]:
    """A handler's `exec`: what it reads becomes a line of the file."""
    return ["/bin/sh", "-c", 'line=$(cat) && printf "%s\\n" "$line" >>"$0"', str(path)]


class HooksProgram:
    """That process; `config` is the daemon's own file. Use as a context manager."""

    def __init__(self, config: Path, state: Path) -> None:
        self._log_path = state / "hooks.log"
        command: list[str | Path] = [sys.executable, "-m", "ingestd.hooks", "--config", config]
        with self._log_path.open("ab") as log:
            self.process = spawn(command, env={"STATE_DIRECTORY": str(state)}, stderr=log, cwd=_REPO)

    @property
    def log(self) -> str:
        """All that it, and others before it in the same folder, logged."""
        return self._log_path.read_text()

    def wait_for(self, text: str, times: int = 1) -> None:
        """Until the log has said it so often."""
        wait_until(lambda: self.log.count(text) >= times, _WITHIN_S, f"“{text}” in the log of the hooks")

    def reload(self, says: str) -> None:
        """SIGHUP, and wait until the log has answered."""
        times = self.log.count(says) + 1
        self.process.send_signal(signal.SIGHUP)
        self.wait_for(says, times)

    def stop(self) -> float:
        """SIGTERM; how long it took to end, seconds."""
        began_s = time.monotonic()
        self.process.terminate()
        assert self.process.wait(_WITHIN_S) == 0, self.log[-2000:]
        return time.monotonic() - began_s

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end(self.process)


def lines_of(path: Path) -> list[str]:
    """What `append_to` wrote so far."""
    return path.read_text().splitlines() if path.exists() else []


def alive(pid: int) -> bool:
    """False for one that has ended, whether or not anybody has waited for it."""
    return state_of(pid) not in ("", "Z")
