"""The connections that a worker's loop waits for, each within its deadline; who has to go is told why, if he can be."""

from __future__ import annotations

import contextlib
import logging
import random
import selectors
import socket
import time
from collections.abc import Callable
from typing import Final

from ingestd.broker import places
from ingestd.broker.connection import Connection

_DRAINED_WITHIN_S: Final = 2.0
"""For a client that was refused while it still sent, to read why."""
_LEAVES_WITHIN_S: Final = 10.0
_AGAIN_S: Final = (2.0, 10.0)

_log = logging.getLogger(__name__)


class Clients:
    """One process's. The loop's thread."""

    def __init__(
        self,
        poller: selectors.BaseSelector,
        on_data: Callable[[Connection], None],
        on_room: Callable[[Connection], None],
        most_bytes: int,
    ) -> None:
        """`most_bytes` may be held of requests that come in and answers that go out."""
        self._poller = poller
        self._on = {selectors.EVENT_READ: on_data, selectors.EVENT_WRITE: on_room}
        self._most_bytes = most_bytes
        self._read_bytes = 0
        """Since it was last looked at how much is held."""
        self._sent_away = self._pushed_out = 0
        """Since it was last told."""
        self.waiting: set[Connection] = set()

    def wait_for_data(self, connection: Connection) -> None:
        """Until its deadline."""
        self._wait(connection, selectors.EVENT_READ)

    def wait_for_room(self, connection: Connection) -> None:
        """For the rest of its answer."""
        connection.deadline = time.monotonic() + _LEAVES_WITHIN_S
        self._wait(connection, selectors.EVENT_WRITE)

    def _wait(self, connection: Connection, event: int) -> None:
        self.waiting.add(connection)
        self._poller.register(connection.sock, event, lambda _: self._happened(connection, event))

    def _happened(self, connection: Connection, event: int) -> None:
        if connection in self.waiting:  # not ended since it was found to be ready
            self._on[event](connection)

    def let_go(self, connection: Connection) -> None:
        """Waits for it no more; it stays open."""
        self._poller.unregister(connection.sock)
        self.waiting.discard(connection)

    def end(self, connection: Connection) -> None:
        """Closes one that is waited for, or was."""
        self.waiting.discard(connection)
        with contextlib.suppress(KeyError, ValueError):
            self._poller.unregister(connection.sock)
        connection.close()

    def drain(self, connection: Connection) -> None:
        """Reads on without looking: a connection that is closed on data takes the answer with it (RFC 9112 §9.6)."""
        connection.draining = True
        connection.forget()
        connection.deadline = time.monotonic() + _DRAINED_WITHIN_S
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.end(connection)

    def send_away(self, connection: Connection) -> None:
        """Tells one that is waited for to come again."""
        self._sent_away += 1
        connection.say(429, "The broker is busy", "busy", round(random.uniform(*_AGAIN_S)))
        self.drain(connection)

    def read(self, size: int) -> None:
        """Tells how many bytes came in of a request; where all of them are too much, the largest are sent away."""
        self._read_bytes += size
        if self._read_bytes > self._most_bytes // 8:
            self._hold_less()

    def make_room(self, over: int) -> None:
        """Ends so many."""
        for connection in places.first_to_go(self.waiting, over):
            self._pushed_out += not connection.idle
            self.end(connection)

    def end_late(self, now: float) -> None:
        """Those past their deadline (monotonic)."""
        for connection in places.overdue(self.waiting, now):
            self.end(connection)
        self._hold_less()

    def _hold_less(self) -> None:
        self._read_bytes = 0
        for connection in places.largest(self.waiting, self._most_bytes):
            if connection.left:
                self.end(connection)
            else:
                self.send_away(connection)

    def tell(self, threads: int, most: int) -> None:
        """Logs who had to go since the last time; there are so many threads and places."""
        if self._sent_away:
            _log.warning("%d requests were told to come again: all %d threads are busy", self._sent_away, threads)
        if self._pushed_out:
            _log.warning(
                "%d connections were ended before a request had come in on them: all %d places were taken; see who has "
                "so many open: ss -tn",
                self._pushed_out,
                most,
            )
        self._sent_away = self._pushed_out = 0
