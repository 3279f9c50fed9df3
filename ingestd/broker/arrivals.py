"""How much of an HTTP/1.1 request has come in (RFC 9112): all of it, or not yet, or that it can't be one. Pure.

Whoever is slow to send one must not hold a thread meanwhile, so a request is handed on whole: gunicorn's own parser,
which is strict, reads it then. It finds the end where it was found here, as a body that came in chunks is handed on in
one piece with its length, and what could be framed in another way is refused.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

LARGEST_BODY_BYTES: Final = 256 * 1024
"""Of any request; more is refused before it is read. A route may want less."""
LARGEST_HEAD_BYTES: Final = 32 * 1024
_HEX: Final = re.compile(rb"[0-9A-Fa-f]{1,8}")
_DIGITS: Final = re.compile(rb"[0-9]{1,18}")
_LONGEST_CHUNK_LINE_BYTES: Final = 256
_COSTLIEST_CHUNKS: Final = 2
"""As many times the largest body may chunks take with their sizes."""


class Unfit(Exception):  # noqa: N818 (an answer, not a fault of ours)
    """It can't be read as a request; `status` answers it, and the connection is to be closed."""

    def __init__(self, status: int, message: str, code: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code


class Whole(NamedTuple):
    """A request that may be handed on."""

    data: bytes
    is_cut: bool
    """Its body is larger than any that is taken, so nobody will read the rest, which may be on its way."""


class Arrival:
    """The requests of one connection, one after another, as their bytes come in. One thread."""

    def __init__(self, largest_body_bytes: int) -> None:
        """Of a larger body only the length is handed on, for the application to refuse."""
        self._largest = largest_body_bytes
        self._buffer = bytearray()
        self._begin()

    def _begin(self) -> None:
        self._seen = 0
        self._head: bytes | None = None
        self._length: int | None = None
        self._chunks: _Chunks | None = None
        self.waits = False
        """The client sends its body only once it is told to go on: Expect: 100-continue."""

    def __len__(self) -> int:
        """Bytes that are held."""
        return len(self._buffer) + len(self._head or b"") + (len(self._chunks.body) if self._chunks else 0)

    def feed(self, data: bytes) -> None:
        """Takes what came in."""
        self._buffer += data

    def take(self) -> Whole | None:
        """The next request, once it is whole; None until then. Raises Unfit."""
        if self._head is None and not self._read_head():
            return None
        if (whole := self._whole()) is not None:
            self._begin()
        return whole

    def _whole(self) -> Whole | None:
        head = self._head or b""
        if self._chunks is not None:
            if not self._chunks.read(self._buffer):
                return None
            told = b"Content-Length: %d\r\n\r\n" % len(self._chunks.body)
            return Whole(head + told + self._chunks.body, self._chunks.too_large)
        length = self._length or 0
        if length > self._largest:
            return Whole(head + b"\r\n", True)
        if len(self._buffer) < length:
            return None
        body = bytes(self._buffer[:length])
        del self._buffer[:length]
        return Whole(head + b"\r\n" + body, False)

    def _read_head(self) -> bool:
        blank = self._buffer.find(b"\r\n\r\n", max(0, self._seen - 3))
        self._seen = len(self._buffer)
        if (self._seen if blank < 0 else blank) > LARGEST_HEAD_BYTES:
            raise Unfit(431, "The request's head is too large", "head-too-large")
        if blank < 0:
            return False
        lines = bytes(self._buffer[:blank]).split(b"\r\n")
        del self._buffer[: blank + 4]
        fields = _fields(lines[1:])
        lengths, codings = fields[b"content-length"], fields[b"transfer-encoding"]
        if len(lengths) + len(codings) > 1:
            raise _bad("tells its length more than once")
        if codings:
            if codings[0].lower() != b"chunked":
                raise Unfit(501, "Of the transfer codings only chunked is known", "transfer-coding")
            if lines[0].rpartition(b" ")[2] != b"HTTP/1.1":
                raise _bad("is chunked, which only HTTP/1.1 is")
            self._chunks = _Chunks(self._largest)
        elif lengths:
            if not _DIGITS.fullmatch(lengths[0]):
                raise _bad("has a Content-Length that is no number")
            self._length = int(lengths[0])
        # What is dealt with here is not handed on: gunicorn would say once more that the body may come.
        kept = [line for line in lines[1:] if line.partition(b":")[0].lower() not in (b"transfer-encoding", b"expect")]
        self._head = b"\r\n".join([lines[0], *kept]) + b"\r\n"
        self.waits = [one.lower() for one in fields[b"expect"]] == [b"100-continue"]
        return True


class _Chunks:
    """A body in chunks, put together as it comes in."""

    def __init__(self, largest: int) -> None:
        self.body = bytearray()
        self.too_large = False
        self._largest = largest
        self._cost = 0
        self._in_trailer = False

    def read(self, buffer: bytearray) -> bool:
        """Takes from the buffer what it can; whether there is no more to come, or no use in it. Raises Unfit."""
        while not self._in_trailer:
            line = buffer.find(b"\r\n", 0, _LONGEST_CHUNK_LINE_BYTES)
            if line < 0:
                if len(buffer) >= _LONGEST_CHUNK_LINE_BYTES:
                    raise _bad("has a chunk without a size")
                return False
            told, _, extension = bytes(buffer[:line]).partition(b";")
            if b"\n" in extension or b"\r" in extension:
                raise _bad("has half a line's end beside a chunk's size")
            told = told.rstrip(b" \t")
            if not _HEX.fullmatch(told):
                raise _bad("has a chunk without a size")
            size = int(told, 16)
            if len(self.body) + size > self._largest:
                self.body += bytes(self._largest + 1 - len(self.body))
                self.too_large = True
                return True
            if size == 0:
                del buffer[:line]  # the end of this line is the first of an empty one where no field follows
                self._in_trailer = True
                break
            whole = line + 2 + size + 2
            if len(buffer) < whole:
                return False
            if buffer[whole - 2 : whole] != b"\r\n":
                raise _bad("has a chunk that is not of its size")
            self.body += buffer[line + 2 : whole - 2]
            del buffer[:whole]
            self._cost += whole
            if self._cost > _COSTLIEST_CHUNKS * self._largest:
                raise Unfit(413, "The body's chunks are too small for its size", "too-large")
        blank = buffer.find(b"\r\n\r\n")
        if blank < 0:
            if len(buffer) > LARGEST_HEAD_BYTES:
                raise Unfit(431, "The request's trailer is too large", "head-too-large")
            return False
        _fields(bytes(buffer[:blank]).split(b"\r\n")[1:])
        del buffer[: blank + 4]
        return True


def _fields(lines: list[bytes]) -> dict[bytes, list[bytes]]:
    """What says how a request is framed, by its name; each as often as it was sent. Raises Unfit."""
    found: dict[bytes, list[bytes]] = {b"content-length": [], b"transfer-encoding": [], b"expect": []}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not name or name != name.strip() or b"\n" in line or b"\r" in line:
            raise _bad("has a line in its head or trailer that is no field")
        if (known := found.get(name.lower())) is not None:
            known.append(value.strip(b" \t"))
    return found


def _bad(what: str) -> Unfit:
    return Unfit(400, f"The request {what}", "bad-request")
