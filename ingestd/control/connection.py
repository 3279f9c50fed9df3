"""The server's end of one client: what it sent and was not served yet, and what it has not read yet."""

from __future__ import annotations

import select
import socket
from collections import deque
from concurrent.futures import Future
from typing import Any, Final

from ingestd.control.protocol import MAX_LINE_BYTES, Request
from ingestd.threads import mailbox

MAX_UNREAD_BYTES: Final = 262_144
"""Who leaves more than that unread is served no further, and not for long."""
MOST_UNREAD_BYTES: Final = 8 << 20
"""A room's whole history at once; with more than that a client is cut off. Lines are shared among the clients."""
MAX_OPEN_REQUESTS: Final = 16
"""What a client may have waiting for an answer; one more is refused, and one that wants no answer is dropped."""
ONE_BY_ONE: Final = frozenset(asked.value for asked in mailbox.Request)
"""Of these a client has one open at a time: the supervisor's time is for all of them."""
PATIENCE_S: Final = 10.0
"""How long a client may take from the first byte of a line to its last, or to read what it has been told."""
_SENDS_AT_ONCE: Final = 64
_READ_BYTES: Final = 16_384


class Connection:
    """One client. Control thread."""

    def __init__(self, sock: socket.socket) -> None:
        """`sock` must not block."""
        self.sock = sock
        self.topics: set[str] = set()
        self.open: list[tuple[Request, Future[Any]]] = []
        """Requests that are not answered yet."""
        self.has_ended = False
        """It says no more: it hung up, or shut its half, as `nc -N` does, and waits for answers."""
        self._unserved = bytearray()
        self._unread: deque[bytes] = deque()
        self._unread_bytes = 0  # of which
        self._begun_bytes = 0  # of the first one have gone
        self._half_since_s: float | None = None
        self._behind_since_s: float | None = None

    @property
    def is_gone(self) -> bool:
        """The connection is closed, at this end."""
        return self.sock.fileno() < 0

    @property
    def has_line(self) -> bool:
        """A whole line waits to be served."""
        return 0 <= self._unserved.find(b"\n") <= MAX_LINE_BYTES

    @property
    def may_be_served(self) -> bool:
        """A whole line is there, and its turn has come."""
        return self.has_line and not self.is_behind and not self._is_held

    @property
    def _is_held(self) -> bool:
        return any(request.method in ONE_BY_ONE for request, _ in self.open)

    @property
    def is_line_too_long(self) -> bool:
        """The line at its end is longer than any may be."""
        return len(self._unserved) > MAX_LINE_BYTES and not self.has_line

    @property
    def has_unread(self) -> bool:
        """It has something to read that the kernel did not take yet."""
        return bool(self._unread)

    @property
    def is_behind(self) -> bool:
        """It has so much to read that it is to do so before it is served."""
        return self._unread_bytes > MAX_UNREAD_BYTES

    @property
    def takes_more(self) -> bool:
        """What it says next is to be read: it has no line that waits."""
        return not (self.has_ended or self.is_behind or self.has_line)

    @property
    def is_done(self) -> bool:
        """Nothing more comes of it: it says no more, and nobody waits for what it was still to be told."""
        return self.has_ended and (not (self.open or self.has_unread) or self._has_hung_up())

    @property
    def is_in_between(self) -> bool:
        """It waits for an answer, has not read what it was told, or has not said all of a line: each has its time."""
        return bool(self.open or self._unread or self._unserved)

    def _has_hung_up(self) -> bool:
        """Its end is closed for reading too."""
        poll = select.poll()
        poll.register(self.sock, 0)
        return any(events & select.POLLHUP for _, events in poll.poll(0))

    def is_deaf(self, now: float, patience_s: float) -> bool:
        """It does not read what it is told. To be asked some times a second."""
        if not self.is_behind and not (self.has_ended and self.has_unread):
            self._behind_since_s = None
            return False
        if self._behind_since_s is None:
            self._behind_since_s = now
        return now - self._behind_since_s >= patience_s or self._unread_bytes > MOST_UNREAD_BYTES

    def receive(self) -> bool:
        """Takes in some of what it sent; False where the connection is broken."""
        try:
            data = self.sock.recv(_READ_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._unserved += data
        if not data:
            self.has_ended = True
            self._unserved.clear()  # half a line
        return True

    def take_line(self) -> bytes:
        """The next line, where there is one."""
        end = self._unserved.find(b"\n")
        line = bytes(self._unserved[:end])
        del self._unserved[: end + 1]
        self._half_since_s = None
        return line

    def is_stuck_in_a_line(self, now: float, patience_s: float) -> bool:
        """It began a line and does not come to its end. To be asked some times a second."""
        if not self._unserved or self.has_line or self.is_behind:
            self._half_since_s = None
            return False
        if self._half_since_s is None:
            self._half_since_s = now
        return now - self._half_since_s >= patience_s

    def tell(self, data: bytes) -> None:
        """Puts that into what it is to read; `flush` sends it."""
        self._unread.append(data)
        self._unread_bytes += len(data)

    def flush(self) -> bool:
        """Sends some of it, as much as the kernel takes; False where the client is gone."""
        try:
            for _ in range(min(len(self._unread), _SENDS_AT_ONCE)):
                sent = self.sock.send(memoryview(self._unread[0])[self._begun_bytes :])
                self._unread_bytes -= sent
                self._begun_bytes += sent
                if self._begun_bytes == len(self._unread[0]):
                    self._unread.popleft()
                    self._begun_bytes = 0
            self._behind_since_s = None  # the kernel took it all: what is left waits for us, not for the client
        except BlockingIOError:
            pass
        except OSError:
            return False
        return True
