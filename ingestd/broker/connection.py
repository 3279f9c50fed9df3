"""One client's connection to a worker: read and written without waiting, TLS included."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import time
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Final

from ingestd.broker.arrivals import LARGEST_BODY_BYTES, Arrival

ARRIVES_WITHIN_S: Final = 10.0
"""From a connection, or from a later request's first byte, to its last."""
_READ_BYTES: Final = 64 * 1024


class Connection:
    """One client's. The loop's, but while a thread answers."""

    def __init__(self, sock: socket.socket, client: Any, server: Any, tls: ssl.SSLContext | None) -> None:
        sock.setblocking(False)
        self.sock = sock
        if tls is not None:
            self.sock = tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        self.greeting = tls is not None
        """The TLS handshake is under way."""
        self.client = client
        self.server = server
        self.arrival = Arrival(LARGEST_BODY_BYTES)
        self.deadline = time.monotonic() + ARRIVES_WITHIN_S
        self.idle = False
        self.draining = False
        self.keeps = False
        """A thread's word for the loop: the next request may come on it."""
        self.left = b""
        """Of the answer, what the client has not taken yet."""

    @property
    def held_bytes(self) -> int:
        """Of requests and answers, what has come in and what has not gone out."""
        return len(self.arrival) + len(self.left)

    def read(self) -> bytes | None:
        """What has come in; b"" at its end, None where there is nothing yet. Raises OSError."""
        try:
            if isinstance(self.sock, ssl.SSLSocket):
                if self.greeting:
                    self.sock.do_handshake()
                    self.greeting = False
                data = self.sock.recv(_READ_BYTES)
                while pending := self.sock.pending():
                    data += self.sock.recv(pending)
                return data
            return self.sock.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None

    def write(self) -> bool:
        """Sends of the answer what the client takes now; whether that is all of it. Raises OSError."""
        try:
            while self.left:
                self.left = self.left[self.sock.send(self.left) :]
        except (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        return True

    def say(self, status: int, message: str, code: str, again_s: int | None = None) -> None:
        """An answer of the worker's own, after which the connection is to end; waits no longer than the socket does."""
        body = json.dumps({"message": message, "code": code})
        again = "" if again_s is None else f"Retry-After: {again_s}\r\n"
        told = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nDate: {formatdate(usegmt=True)}\r\nConnection: close\r\n"
            f"Cache-Control: no-store\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"{again}\r\n{body}"
        )
        with contextlib.suppress(OSError):
            self.sock.send(told.encode())

    def forget(self) -> None:
        """Drops what has come in."""
        self.arrival = Arrival(LARGEST_BODY_BYTES)

    def close(self) -> None:
        """Once and for all."""
        with contextlib.suppress(OSError):
            self.sock.close()


class Answering:
    """A connection as gunicorn's `handle_request` wants it; whatever is written is kept, and nobody waited for."""

    def __init__(self, connection: Connection) -> None:
        self.client = connection.client
        self.server = connection.server
        self.sock = self
        self.written = bytearray()

    def sendall(self, data: bytes) -> None:
        """As a socket's."""
        self.written += data

    send = sendall
