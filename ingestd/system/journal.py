"""Where the log goes: the journal with its fields under systemd, standard error elsewhere."""

from __future__ import annotations

import logging
import os
import sys
from typing import Final

LOG: Final = logging.getLogger("ingestd")
"""The daemon's one logger. Never called from the capture, sender or receiver thread: standard error can block."""


def set_up(level: str, program: str = "ingestd") -> None:
    """Sends the log to the journal, as that program's, where this process is a service, else to standard error."""
    LOG.setLevel(level.upper())
    LOG.propagate = False
    LOG.handlers[:] = [_handler(program)]


def repeat() -> None:
    """Tries once more to be rid of lines that the journal did not take. About once a second; never blocks there."""
    for handler in LOG.handlers:
        handler.flush()


def _handler(program: str) -> logging.Handler:
    if _stderr_is_the_journal():
        from ingestd.system.journal_handler import JournalHandler

        return JournalHandler(program)
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    return handler


def _stderr_is_the_journal() -> bool:
    """As systemd.exec(5) says to find out: a child of a service may have its standard error elsewhere."""
    try:
        status = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
