"""What goes to standard error: for the journal with its level, for a terminal with its time; always printable."""

from __future__ import annotations

import logging
import os
import re
import sys
from typing import Any, Final

LOG: Final = logging.getLogger("ingestd.broker")
"""Every logger of the broker is below it."""
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_PRIORITIES: Final = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (0, 7))
"""sd-daemon(3)"""


def set_up(level: str) -> None:
    """From here on what is of that level and above is written. Any process; once more for another level."""
    handler = logging.StreamHandler()
    handler.setFormatter(JournalLines() if _stderr_is_the_journal() else TerminalLines())
    LOG.setLevel(level.upper())
    LOG.propagate = False
    LOG.handlers[:] = [handler]


def tell_fault(text: str) -> None:
    """Why the program can't do what it was started for, on standard error; an error where that is the journal."""
    mark = "<3>" if _stderr_is_the_journal() else ""
    sys.stderr.write("".join(f"{mark}{line}\n" for line in text.splitlines()))


def printable(text: str) -> str:
    """The text in one line that moves no cursor and forges no line, whoever wrote it."""
    return _UNPRINTABLE.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


class TerminalLines(logging.Formatter):
    """Time, level, message; the lines of a traceback follow as they are."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's name)
        record.message = printable(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802 (logging's name)
        return "\n".join(printable(line) for line in super().formatException(ei).splitlines())


class JournalLines(TerminalLines):
    """The same without the time, which the journal has; each line with its priority as sd-daemon(3) has it."""

    def __init__(self) -> None:
        logging.Formatter.__init__(self, "%(message)s")

    def format(self, record: logging.LogRecord) -> str:
        priority = next(number for level, number in _PRIORITIES if record.levelno >= level)
        return "\n".join(f"<{priority}>{line}" for line in super().format(record).splitlines())


def _stderr_is_the_journal() -> bool:
    """As systemd.exec(5) says to find out: a child of a service may have its standard error elsewhere."""
    try:
        status = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
