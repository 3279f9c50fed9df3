"""What a process holds, read from /proc: threads, file descriptors, memory."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Resources:
    """One look at a process of this machine."""

    threads: tuple[str, ...]
    """The name of each, in order."""
    descriptors: tuple[str, ...]
    """What each leads to, without the numbers that differ from one to the next, in order."""
    memory_bytes: int
    """What is resident and its own: neither files nor shared memory."""

    @classmethod
    def of(cls, pid: int) -> Resources:
        """Looks now. OSError where there is no such process, or it is another user's."""
        root = Path("/proc") / str(pid)
        threads = [_text(task / "comm") for task in (root / "task").iterdir()]
        descriptors = [_target(link) for link in (root / "fd").iterdir()]
        return cls(_ordered(threads), _ordered(descriptors), _anonymous_bytes(_text(root / "status")))

    def more_than(self, before: Resources) -> str:
        """Threads and descriptors that have come and gone since, for a person; empty where there are none."""
        words = []
        for now, then in ((self.threads, before.threads), (self.descriptors, before.descriptors)):
            change = Counter(now)
            change.subtract(Counter(then))
            words += [f"{count:+d} {name}" for name, count in sorted(change.items()) if count]
        return ", ".join(words)


def _ordered(names: list[str | None]) -> tuple[str, ...]:
    return tuple(sorted(name for name in names if name is not None))


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except (FileNotFoundError, ProcessLookupError):  # a thread that has just ended
        return None


def _target(link: Path) -> str | None:
    try:
        return os.readlink(link).partition(":[")[0]
    except FileNotFoundError:  # closed between the listing and this
        return None


def _anonymous_bytes(status: str | None) -> int:
    for line in (status or "").splitlines():
        name, _, value = line.partition(":")
        if name == "RssAnon":
            return int(value.split()[0]) * 1024
    raise ProcessLookupError("the process has ended")
