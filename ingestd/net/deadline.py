"""A deadline over many steps together: a time-out on each of them is never met by a peer that trickles."""

from __future__ import annotations

import io
import socket
import time
from typing import Any

from ingestd.net.alerts import sending


def left_s(deadline_s: float) -> float:
    """Seconds until `deadline_s` (CLOCK_MONOTONIC), for `settimeout`. Raises TimeoutError where it is over."""
    left = deadline_s - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


class DeadlineSocket:
    """A socket for http.client that raises TimeoutError after `deadline_s` (CLOCK_MONOTONIC). One thread."""

    def __init__(self, sock: socket.socket, deadline_s: float) -> None:
        self.sock = sock
        self._deadline_s = deadline_s

    def sendall(self, data: Any) -> None:
        """Sends it all."""
        self.sock.settimeout(left_s(self._deadline_s))
        with sending(self.sock):
            self.sock.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What http.client reads from."""
        return io.BufferedReader(_Reader(self.sock, self._deadline_s))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sock, name)


class _Reader(io.RawIOBase):
    def __init__(self, sock: socket.socket, deadline_s: float) -> None:
        super().__init__()
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)  # keeps the descriptor while this is open, as http.client expects
        self._deadline_s = deadline_s

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(left_s(self._deadline_s))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()
