"""Where the log goes: the journal with its fields under systemd, standard error elsewhere."""

from __future__ import annotations

import logging
import os
import sys
from typing import Final

LOG: Final = logging.getLogger("ingestd")
"""The daemon's one logger. Never called from the capture, sender or receiver thread: writing can block."""


def set_up(level: str) -> None:
    """Sends the log to the journal where this process is a service, else to standard error."""
    LOG.setLevel(level.upper())
    LOG.propagate = False
    LOG.handlers[:] = [_handler()]


def _handler() -> logging.Handler:
    if os.environ.get("JOURNAL_STREAM") and not sys.stderr.isatty():
        from systemd.journal import JournalHandler

        journal: logging.Handler = JournalHandler(SYSLOG_IDENTIFIER="ingestd")
        return journal
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    return handler
