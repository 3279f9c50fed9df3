"""What a process has used so far, thread by thread, as the kernel counts it (proc(5))."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Thread:
    """One thread."""

    name: str
    """As /proc has it; a Python before 3.14 gives its threads none, and they have the process's."""
    cpu_s: float
    """On a processor, to the nanosecond (schedstat)."""
    switches: int
    """How often it was taken from one, of itself or not."""


@dataclass(frozen=True)
class Used:
    """What was used between two looks."""

    seconds: float
    threads: tuple[Thread, ...]
    """Those there were at the end, with what is new."""

    def cpu_ms_per_s(self, counts: Callable[[Thread], bool] = lambda _: True) -> float:
        """Processor time, of the threads that count."""
        return sum(thread.cpu_s for thread in self.threads if counts(thread)) * 1000 / self.seconds

    def switches_per_s(self, counts: Callable[[Thread], bool] = lambda _: True) -> float:
        """How often a second one of the threads that count was put off a processor, and so on one: its wake-ups."""
        return sum(thread.switches for thread in self.threads if counts(thread)) / self.seconds


class Look:
    """A process as it is now; OSError where there is none."""

    def __init__(self, pid: int) -> None:
        self._at_s = time.monotonic()
        self._threads = {int(task.name): _thread(task) for task in Path(f"/proc/{pid}/task").iterdir()}

    def since(self, before: Look) -> Used:
        """What was used since then. What threads used that have ended is lost; the contenders' stay."""
        new = []
        for number, thread in self._threads.items():
            then = before._threads.get(number, Thread(thread.name, 0.0, 0))
            new.append(Thread(thread.name, thread.cpu_s - then.cpu_s, thread.switches - then.switches))
        return Used(self._at_s - before._at_s, tuple(new))


def peak_rss_mib(pid: int) -> float:
    """The most memory that was ever resident."""
    return next(
        int(line.split()[1]) / 1024
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmHWM:")
    )


def _thread(task: Path) -> Thread:
    status = (task / "status").read_text().splitlines()
    return Thread(
        name=(task / "comm").read_text().strip(),
        cpu_s=int((task / "schedstat").read_text().split()[0]) / 1e9,
        switches=sum(int(line.split()[1]) for line in status if "ctxt_switches" in line),
    )
