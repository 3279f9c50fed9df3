"""When a process was kept from running: the kernel's own account of how long its threads waited for a processor."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_EVERY_S = 0.1
_LONG_S = 0.05
"""Waiting this long of _EVERY_S, a thread is as good as standing still."""


class StallWatch:
    """Watches processes from its own thread while entered. `stalls` are spans of CLOCK_MONOTONIC here (seconds)."""

    def __init__(self, processes: Sequence[int]) -> None:
        self._processes = processes
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="stall-watch", daemon=True)
        self.stalls: list[tuple[float, float]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()

    def _watch(self) -> None:
        before, before_s = self._waited(), time.monotonic()
        while not self._stopping.wait(_EVERY_S):
            now, now_s = self._waited(), time.monotonic()
            longest_s = max((now[thread] - before.get(thread, 0.0) for thread in now), default=0.0)
            if longest_s >= _LONG_S:
                self.stalls.append((before_s, now_s))
            before, before_s = now, now_s

    def _waited(self) -> dict[Path, float]:
        """Seconds that every thread was ready to run and did not; see sched-stats.rst of the kernel."""
        waited = {}
        for process in self._processes:
            for path in Path(f"/proc/{process}/task").glob("*/schedstat"):
                try:
                    waited[path] = int(path.read_text().split()[1]) * 1e-9
                except (OSError, IndexError):  # that thread has ended
                    continue
        return waited
