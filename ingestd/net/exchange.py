"""One request over HTTP/1.1 and its answer (RFC 9112), as much of it as asking for a session needs.

http.client does the same with 1.4 MiB of modules, most of them for e-mail.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Final, NamedTuple

from ingestd.net.alerts import sending
from ingestd.net.deadline import left_s

_MAX_LINE_BYTES: Final = 65536
_MAX_HEADERS: Final = 100
_READ_BYTES: Final = 16384
_NO_BODY: Final = (204, 304)


class ExchangeError(Exception):
    """The answer ended before its time, or can't be understood."""


class NoHttp(ExchangeError):  # noqa: N818 (what it is, and all that is known)
    """What answers does not speak HTTP."""


class Answer(NamedTuple):
    """Of a server; all of it a stranger's."""

    status: int
    headers: dict[str, str]
    """By their names in lower case; of one that comes twice the first."""
    body: bytes


class Request(NamedTuple):
    """One request; `headers` besides Host and Content-Length."""

    method: str
    host: str
    """As the header Host has it."""
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    def __repr__(self) -> str:
        return f"Request({self.method!r}, {self.host!r})"  # the others may hold a token

    def encode(self) -> bytes:
        """As it is sent. Raises ValueError where it can't be."""
        lines = [f"{self.method} {self.target} HTTP/1.1", f"Host: {self.host}", f"Content-Length: {len(self.body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if not all(map(str.isprintable, lines)):
            raise ValueError("a line break within a line")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


def host_header(host: str, port: int, default_port: int) -> str:
    """What stands in the header Host; `default_port` is the scheme's own. Raises ValueError for a name that is none."""
    name = host if host.isascii() else host.encode("idna").decode("ascii")
    name = f"[{name.partition('%')[0]}]" if ":" in name else name
    return name if port == default_port else f"{name}:{port}"


def exchange(sock: socket.socket, deadline_s: float, request: Request, most_bytes: int) -> Answer:
    """Sends it and reads the answer by `deadline_s` (CLOCK_MONOTONIC), `most_bytes` of its body and one more at most.

    The connection is not to be used again. Raises ExchangeError, OSError, TimeoutError, ValueError for what can't be
    sent.
    """
    sock.settimeout(left_s(deadline_s))
    with sending(sock):
        sock.sendall(request.encode())
    answer = _Incoming(sock, deadline_s)
    status = 100
    while status < 200 and status != 101:  # the answer is still to come; after Switching Protocols none in HTTP
        status = _status(answer.line())
        headers = _headers(answer)
    if request.method == "HEAD" or status < 200 or status in _NO_BODY:
        return Answer(status, headers, b"")
    return Answer(status, headers, _body(answer, headers, most_bytes + 1))


class _Incoming:
    """What a server sends, as long as it has time."""

    def __init__(self, sock: socket.socket, deadline_s: float) -> None:
        self._sock = sock
        self._deadline_s = deadline_s
        self._unread = bytearray()

    def _has_more(self) -> bool:
        self._sock.settimeout(left_s(self._deadline_s))
        data = self._sock.recv(_READ_BYTES)
        self._unread += data
        return bool(data)

    def _take(self, size: int) -> bytes:
        taken = bytes(self._unread[:size])
        del self._unread[:size]
        return taken

    def line(self) -> bytes:
        """Up to its end, or the connection's."""
        while (end := self._unread.find(b"\n") + 1) == 0 and len(self._unread) <= _MAX_LINE_BYTES:
            if not self._has_more():
                end = len(self._unread)
                break
        if end > _MAX_LINE_BYTES or (self._unread and not end):
            raise ExchangeError("a line without end")
        return self._take(end)

    def rest(self, most_bytes: int) -> bytes:
        """So much, or what there is until the connection ends."""
        while len(self._unread) < most_bytes and self._has_more():
            pass
        return self._take(most_bytes)

    def whole(self, size: int) -> bytes:
        """Just so much."""
        data = self.rest(size)
        if len(data) < size:
            raise ExchangeError("the connection ended within the answer")
        return data


def _status(line: bytes) -> int:
    if not line:
        raise ExchangeError("closed without an answer")
    version, _, rest = line.partition(b" ")
    code = rest[:3]
    if not version.startswith(b"HTTP/1.") or len(code) != 3 or not code.isdigit() or rest[3:4].strip() or code < b"100":
        raise NoHttp
    return int(code)


def _headers(answer: _Incoming) -> dict[str, str]:
    found: dict[str, str] = {}
    for _ in range(_MAX_HEADERS + 1):
        line = answer.line()
        if not line.strip(b"\r\n"):
            return found
        name, _, value = line.decode("latin-1").partition(":")
        found.setdefault(name.lower(), value.strip())
    raise ExchangeError(f"more than {_MAX_HEADERS} headers")


def _body(answer: _Incoming, headers: Mapping[str, str], most_bytes: int) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return _chunks(answer, most_bytes)
    length = headers.get("content-length", "")
    if not (length.isascii() and length.isdecimal() and len(length) < 20):  # int() raises beyond 4300
        return answer.rest(most_bytes)
    return answer.whole(min(int(length), most_bytes))


def _chunks(answer: _Incoming, most_bytes: int) -> bytes:
    body = b""
    while len(body) < most_bytes:
        size = answer.line().partition(b";")[0].strip()
        try:
            length = int(size, 16) if size.isalnum() else -1  # int() would take a sign
        except ValueError:
            length = -1
        if length < 0:
            raise ExchangeError("a chunk without its size")
        if length == 0:
            break
        body += answer.whole(min(length, most_bytes - len(body)))
        if len(body) < most_bytes:  # else it may be cut from a longer one
            answer.line()
    return body
