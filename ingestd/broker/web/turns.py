"""Requests one after another until it is known who sends them: a stranger's flood must not crowd out everybody else.

Threads of one process share one interpreter, and each gives way whenever it waits for the database or the network: of
two dozen that are at it at once, each is as late as all of them together. In turn, each is done in its own time.
"""

from __future__ import annotations

from threading import Lock
from typing import Final

from flask import Flask, g

_PATIENCE_S: Final = 0.1
"""Where the database is slow its requests are better off side by side; a turn comes in a tenth of this without."""


class Turns:
    """The turns of one application. Any thread."""

    def __init__(self, app: Flask) -> None:
        """Every request of `app` waits for its turn, until its sender is known (`known`) or it is answered."""
        self._turn = Lock()
        app.before_request(self._begin)
        app.teardown_request(lambda _error: known())

    def _begin(self) -> None:
        if self._turn.acquire(timeout=_PATIENCE_S):
            g.turn = self._turn


def known() -> None:
    """The sender of this thread's request is known: it runs beside others from now on."""
    turn: Lock | None = g.pop("turn", None)
    if turn is not None:
        turn.release()
