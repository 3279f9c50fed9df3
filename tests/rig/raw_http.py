"""HTTP/1.1 in bare bytes over one socket: requests as a test wants them, right or wrong, and answers as they came."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from types import TracebackType
from typing import NamedTuple, Self

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_PIECE_BYTES = 64 << 10


class Answer(NamedTuple):
    """One answer."""

    status: int
    head: bytes
    """The status line and the headers."""
    body: bytes

    def header(self, name: str) -> str | None:
        """The first header of that name."""
        found = re.search(rb"\r\n%s: *([^\r]*)" % re.escape(name.encode()), self.head, re.IGNORECASE)
        return None if found is None else found[1].decode()


class RawClient:
    """One connection to 127.0.0.1. A context manager, for one thread."""

    def __init__(self, port: int, timeout_s: float = 30.0) -> None:
        """Connects."""
        self.sock = socket.create_connection(("127.0.0.1", port), timeout_s)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._left = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.sock.close()

    def ask(self, request: bytes) -> Answer:
        """Sends that and reads one answer. Raises OSError."""
        self.sock.sendall(request)
        return self.answer()

    def answer(self) -> Answer:
        """Reads one answer, with a body as long as it tells. Raises ConnectionError where there is none."""
        data = self._left
        while b"\r\n\r\n" not in data:
            data += self._more()
        head, _, body = data.partition(b"\r\n\r\n")
        told = _LENGTH.search(head)
        length = int(told[1]) if told else 0
        while len(body) < length:
            body += self._more()
        self._left = body[length:]
        return Answer(int(head.split(None, 2)[1]), head, body[:length])

    def rest(self) -> bytes:
        """Everything that comes until the other side closes or resets the connection."""
        data = self._left
        try:
            while piece := self.sock.recv(_PIECE_BYTES):
                data += piece
        except ConnectionError:
            pass
        return data

    def _more(self) -> bytes:
        piece = self.sock.recv(_PIECE_BYTES)
        if not piece:
            raise ConnectionError("the connection ended before the answer")
        return piece


def request(
    path: str, headers: Mapping[str, str | bytes] | None = None, body: bytes = b"", method: str = "POST"
) -> bytes:
    """A request that is well-formed as far as `path` and `headers` are."""
    fields: dict[str, str | bytes] = {"Host": "broker", "Content-Length": str(len(body)), **(headers or {})}
    lines = [f"{method} {path} HTTP/1.1".encode()]
    lines += [name.encode() + b": " + (value if isinstance(value, bytes) else value.encode())
              for name, value in fields.items()]  # fmt: skip
    return b"\r\n".join([*lines, b"", body])
