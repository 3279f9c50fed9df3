"""A reporter whose time, health and listeners are the test's, and what it logs."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any, Final

from ingestd.core.lifecycle import State
from ingestd.core.remedies import Where
from ingestd.errors import BackendError, BackendFault
from ingestd.reporter import Reporter
from ingestd.system.journal import LOG

DEBUG: Final = logging.DEBUG
INFO: Final = logging.INFO
WARNING: Final = logging.WARNING


WHERE: Final = Where(
    "/etc/ingestd/token", "api.example.com", "https://api.example.com", "abcd-efgh-ijkl", "/etc/ingestd/ingestd.yaml"
)


class FakeNotifier:
    """Keeps what systemd would be told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self._status = ""
        self.watchdog_every_s: float | None = None

    def ready(self) -> None:
        self.told.append("ready")

    def status(self, line: str) -> None:
        if line != self._status:  # as the real one
            self._status = line
            self.told.append(f"status {line}")

    def watchdog(self) -> bool:
        self.told.append("watchdog")
        return True

    def repeat(self) -> None:
        """Everything was taken."""

    def stopping(self) -> None:
        self.told.append("stopping")


class Case:
    """A reporter whose time, health and listeners are the test's."""

    def __init__(self, records: list[logging.LogRecord]) -> None:
        self.now = 1000.0
        self.healthy = True
        self.records = records
        self.news: list[tuple[str, dict[str, Any]]] = []
        self.notifier = FakeNotifier()
        self.reporter = Reporter(
            self.notifier,  # type: ignore[arg-type]
            lambda method, params: self.news.append((method, params)),
            lambda _now: [] if self.healthy else ["captured samples"],
            WHERE,
            lambda: self.now,
        )

    def logged(self) -> list[tuple[int, str]]:
        """Level and text of what was logged since last asked."""
        found = [(record.levelno, record.getMessage()) for record in self.records]
        self.records.clear()
        return found

    def levels(self) -> list[int]:
        return [level for level, _ in self.logged()]

    def attempt_fails(self, epoch: int, reason: str = "can't reach it", key: str = "backend-unreachable") -> None:
        self.reporter.state(State.CREATING, epoch, "trying again", None)
        self.reporter.state(State.WAITING, epoch, reason, BackendError(BackendFault(key), reason))

    def beats(self, seconds: float) -> None:
        """Time passes, with a heartbeat every second."""
        end = self.now + seconds
        while self.now < end:
            self.now += 1
            self.reporter.heartbeat()

    def streams(self, epoch: int) -> None:
        self.reporter.state(State.STREAMING, epoch, "connected", None)


@contextlib.contextmanager
def reporter_case() -> Iterator[Case]:
    """Everything it logs is kept, and goes nowhere else."""
    records: list[logging.LogRecord] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    handler, level, propagate = Keep(), LOG.level, LOG.propagate
    LOG.addHandler(handler)
    LOG.setLevel(logging.DEBUG)
    LOG.propagate = False
    try:
        yield Case(records)
    finally:
        LOG.removeHandler(handler)
        LOG.setLevel(level)
        LOG.propagate = propagate
