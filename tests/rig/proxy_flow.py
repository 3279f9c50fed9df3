"""One direction of a proxied connection: what came in, and when it may go out."""

from __future__ import annotations

import random
import socket
from collections import deque
from dataclasses import dataclass, field

_READ = 65536


@dataclass
class Shape:
    """How one direction is disturbed; the default is not at all."""

    delay_min_s: float = 0.0
    """Least delay of a piece (seconds)."""
    delay_max_s: float = 0.0
    """Greatest delay of a piece (seconds); pieces never overtake each other."""
    max_piece: int | None = None
    """What comes in goes out in pieces of 1 to this many bytes, drawn at random."""
    bytes_per_s: float | None = None
    """Throughput."""
    burst: int = 1
    """Most bytes that go out at once where the throughput is bounded."""
    queue_limit: int = 65536
    """Bytes held before it stops reading."""
    stalled: bool = False
    """Reads nothing and sends nothing, while the kernel goes on acknowledging."""
    cut_after: int | None = None
    """Bytes that still pass before the connection is reset."""
    random: random.Random = field(default_factory=random.Random)


class Flow:
    """Carries bytes from one socket to another as its shape says. Neither blocks nor waits: its loop does."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        """Takes two non-blocking sockets."""
        self.source = source
        self.sink = sink
        self.ended = False
        """The source has said all."""
        self.finished = False
        """The sink has been told so."""
        self.blocked = False
        """The sink takes nothing at the moment."""
        self.passed = 0
        """Bytes sent on."""
        self._queue: deque[tuple[float, memoryview]] = deque()
        self._held = 0
        self._last_due = 0.0
        self._next_send = 0.0

    def wants_read(self, shape: Shape) -> bool:
        """Whether the source may be read now."""
        return not (self.ended or shape.stalled or self._held >= shape.queue_limit)

    def take(self, shape: Shape, now: float) -> None:
        """Reads what the source has, and decides when it goes on. Raises OSError from a broken source."""
        try:
            data = self.source.recv(min(_READ, shape.queue_limit - self._held))
        except BlockingIOError:
            return
        self.ended = not data
        self._held += len(data)
        rest = memoryview(data)
        while rest:
            size = shape.random.randint(1, shape.max_piece) if shape.max_piece else len(rest)
            delay = shape.random.uniform(shape.delay_min_s, shape.delay_max_s)
            self._last_due = max(self._last_due, now + delay)
            self._queue.append((self._last_due, rest[:size]))
            rest = rest[size:]

    def due(self, shape: Shape) -> float | None:
        """When it next has something to send; None where only a socket can tell."""
        if not self._queue or self.blocked or shape.stalled:
            return None
        return max(self._queue[0][0], self._next_send if shape.bytes_per_s else 0.0)

    def give(self, shape: Shape, now: float) -> bool:
        """Sends all that is due. True: the cut has come. Raises OSError from a broken sink."""
        while not shape.stalled and self._queue and self._queue[0][0] <= now:
            if shape.bytes_per_s and self._next_send > now:
                return False
            due, data = self._queue.popleft()
            allowed = self._allowed(shape, data)
            try:
                sent = self.sink.send(allowed)
            except BlockingIOError:
                sent = 0
            self.blocked = sent < len(allowed)
            self._account(shape, now, sent)
            if sent < len(data):
                self._queue.appendleft((due, data[sent:]))
            if shape.cut_after is not None and shape.cut_after <= 0:
                return True
            if self.blocked:
                return False
        if self.ended and not self._queue and not self.finished and not shape.stalled:
            self.finished = True
            self.sink.shutdown(socket.SHUT_WR)
        return False

    def _allowed(self, shape: Shape, data: memoryview) -> memoryview:
        if shape.bytes_per_s:
            data = data[: shape.burst]
        if shape.cut_after is not None:
            data = data[: shape.cut_after]
        return data

    def _account(self, shape: Shape, now: float, sent: int) -> None:
        self.passed += sent
        self._held -= sent
        if shape.bytes_per_s:
            self._next_send = max(self._next_send, now) + sent / shape.bytes_per_s
        if shape.cut_after is not None:
            shape.cut_after -= sent
