"""How one thread ends what another is waiting for on the network: a name, a connection, an answer."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator

from ingestd.errors import ChannelClosed


class Cancel:
    """Ends one attempt. `cancel` belongs to any thread, the rest to the attempt's own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wakes: list[Callable[[], None]] = []
        self.requested = False

    def cancel(self) -> None:
        """Wakes whoever waits; what would be begun after is refused. Any thread, never blocks."""
        with self._lock:
            self.requested = True
            for wake in self._wakes:
                wake()

    def check(self) -> None:
        """Raises ChannelClosed where `cancel` was called."""
        if self.requested:
            raise ChannelClosed("the attempt was abandoned")

    @contextlib.contextmanager
    def waking(self, wake: Callable[[], None]) -> Iterator[None]:
        """Within it `cancel` calls `wake`, which must not block. Raises ChannelClosed where it was called before."""
        with self._lock:
            self.check()
            self._wakes.append(wake)
        try:
            yield
        finally:
            with self._lock:
                self._wakes.remove(wake)

    @contextlib.contextmanager
    def watching(self, sock: socket.socket) -> Iterator[None]:
        """Within it `cancel` ends the connection, so that whoever reads or writes `sock` wakes."""
        # A descriptor of our own: TLS takes the socket's away, and a library may close it while we shut it down.
        with socket.socket(fileno=os.dup(sock.fileno())) as own, self.waking(lambda: _end(own)):
            yield


def _end(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it may have ended by itself
        sock.shutdown(socket.SHUT_RDWR)
