"""WebSocket framing of the client side (RFC 6455 §5), sans-I/O: bytes in, messages out.

websocket-client does the opening handshake; from then on frames are read and written here, because its reader
has no size limit, accepts masked frames and answers pings from inside `recv`, and its writer strands half a
frame on a non-blocking socket.

No size limit here relies on having the data: a header announces a length and that is judged before one byte
of payload is kept. A message over `max_message_bytes` is skipped as it streams past and reported as
`Oversize`; one over `MAX_SKIPPED_BYTES` ends the connection, for reading it would silence the room for minutes.
"""

from __future__ import annotations

import enum
import secrets
import struct
from typing import Final, NamedTuple

from ingestd.errors import RemoteProtocolError

MAX_SKIPPED_BYTES: Final = 16 * 1024 * 1024
_MAX_CONTROL_BYTES: Final = 125


class Opcode(enum.IntEnum):
    """RFC 6455 §11.8."""

    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


_FIN_TEXT: Final = 0x80 | Opcode.TEXT
_MEDIUM_HEAD: Final = struct.Struct("!BBH").pack
_KEYS_AT_ONCE: Final = 128
_KEYS: Final[list[bytes]] = []
"""Mask keys that no frame had yet: the kernel is asked for many at once, and each is used for one frame. Any thread."""


class Frame(NamedTuple):
    """One whole message (TEXT, BINARY) or control frame (CLOSE, PING, PONG)."""

    opcode: Opcode
    payload: bytes


class Oversize(NamedTuple):
    """A data message that was skipped; `size_bytes` of it were announced so far."""

    size_bytes: int


def encode_frame(opcode: Opcode, payload: bytes, mask_key: bytes | None = None) -> bytes:
    """One masked client frame, FIN set. `mask_key` (4 bytes) is drawn from the kernel unless a test gives one."""
    size = len(payload)
    try:
        key = mask_key or _KEYS.pop()  # atomic: no two threads get the same
    except IndexError:
        drawn = secrets.token_bytes(4 * _KEYS_AT_ONCE)
        key = drawn[:4]
        _KEYS.extend([drawn[at : at + 4] for at in range(4, len(drawn), 4)])
    if 126 <= size < 65536:
        head = _MEDIUM_HEAD(0x80 | opcode, 0xFE, size)
    elif size < 126:
        head = bytes((0x80 | opcode, 0x80 | size))
    else:
        head = bytes((0x80 | opcode, 0xFF)) + size.to_bytes(8, "big")
    # XOR of two big integers: 0.4 µs for a media frame where a loop over bytes takes 30 µs.
    stream = int.from_bytes((key * (size // 4 + 1))[:size], "big")
    return head + key + (int.from_bytes(payload, "big") ^ stream).to_bytes(size, "big")


def encode_close(code: int, reason: str = "") -> bytes:
    """A masked close frame; `reason` is cut to what fits into 123 bytes of UTF-8."""
    cut = reason.encode("utf-8", "replace")[:123].decode("utf-8", "ignore")
    return encode_frame(Opcode.CLOSE, code.to_bytes(2, "big") + cut.encode("utf-8"))


def decode_close(payload: bytes) -> tuple[int, str]:
    """(code, reason) of a close frame; 1005 where it carries none (RFC 6455 §7.1.5).

    Raises RemoteProtocolError for half a code, and for one that is never sent (§7.4).
    """
    if not payload:
        return 1005, ""
    code = int.from_bytes(payload[:2], "big")
    if len(payload) < 2 or code < 1000 or code in (1005, 1006, 1015):
        raise RemoteProtocolError("the server sent a close frame without a valid code")
    return code, payload[2:].decode("utf-8", "replace")


def may_be_sent(code: int) -> bool:
    """False for what only stands for the lack of a close code, or means nothing (RFC 6455 §7.4)."""
    return (1000 <= code <= 1014 and code not in (1004, 1005, 1006)) or 3000 <= code <= 4999


def head_of_text(size: int) -> bytes:
    """What a server's frame begins with that is one whole text message of `size` bytes, 126 to 65535."""
    return bytes((_FIN_TEXT, 126)) + size.to_bytes(2, "big")


class FrameReader:
    """Turns the inbound byte stream into messages. One thread at a time; never holds more than one message."""

    def __init__(self, max_message_bytes: int) -> None:
        self._max = max_message_bytes
        self._buffer = bytearray()
        self._skip = 0  # payload bytes of an oversize frame still to come
        self._skip_fin = False
        self._message: bytearray | None = None  # fragments of a message that is not finished
        self._message_opcode = Opcode.TEXT
        self._message_size = 0
        self._oversize = False
        self.idle = True
        """Nothing is held of any message: what comes next begins a frame."""
        self.broken: RemoteProtocolError | None = None
        """How the peer broke RFC 6455; nothing is read after that."""

    def feed(self, data: bytes) -> list[Frame | Oversize]:
        """All that `data` completes, in order, however the stream is cut into pieces.

        Raises RemoteProtocolError where the peer breaks RFC 6455. Where messages came before that in the same
        `data`, they are returned, `broken` is set, and the next call raises.
        """
        if self.broken is not None:
            raise self.broken
        out: list[Frame | Oversize] = []
        try:
            self._read(data, out)
        except RemoteProtocolError as error:
            self.broken = error
            self.idle = False
            self._buffer.clear()
            if not out:
                raise
        else:
            self.idle = not (self._buffer or self._skip) and self._message is None
        return out

    def _read(self, data: bytes, out: list[Frame | Oversize]) -> None:
        if self._skip:
            data = self._skip_from(data, out)
        buffer = self._buffer
        buffer += data
        pos = 0
        end = len(buffer)
        while end - pos >= 2:
            first = buffer[pos]
            size = buffer[pos + 1]
            if size & 0x80:
                raise RemoteProtocolError("the server sent a masked frame, which RFC 6455 §5.1 forbids")
            start = pos + 2
            if size == 126:
                if end < pos + 4:
                    break
                size = int.from_bytes(buffer[start : pos + 4], "big")
                start = pos + 4
            elif size == 127:
                if end < pos + 10:
                    break
                size = int.from_bytes(buffer[start : pos + 10], "big")
                start = pos + 10
            if first == _FIN_TEXT and size <= self._max and self._message is None:
                # The way of every media frame: one test, one copy.
                if end < start + size:
                    break
                out.append(Frame(Opcode.TEXT, bytes(buffer[start : start + size])))
                pos = start + size
                continue
            skipped = self._judge(first, size)
            available = end - start
            if skipped:
                if available < size:
                    self._skip = size - available
                    pos = end
                    break
                self._end_of_skipped(bool(first & 0x80), out)
            else:
                if available < size:
                    break
                self._take(first, bytes(buffer[start : start + size]), out)
            pos = start + size
        del buffer[:pos]

    def _judge(self, first: int, size: int) -> bool:
        """Checks a header; True where its payload is to be skipped. Repeatable until the payload is there."""
        if first & 0x70:
            raise RemoteProtocolError("the server set reserved bits without an extension agreed (RFC 6455 §5.2)")
        opcode = first & 0x0F
        if opcode >= 0x8:
            if opcode > 0xA:
                raise RemoteProtocolError(f"the server sent unknown opcode 0x{opcode:x} (RFC 6455 §5.2)")
            if size > _MAX_CONTROL_BYTES or not first & 0x80:
                raise RemoteProtocolError("the server sent a fragmented or oversize control frame (RFC 6455 §5.5)")
            return False
        if opcode > 0x2:
            raise RemoteProtocolError(f"the server sent unknown opcode 0x{opcode:x} (RFC 6455 §5.2)")
        if (opcode == 0) != (self._message is not None):
            raise RemoteProtocolError("the server broke the order of message fragments (RFC 6455 §5.4)")
        total = size + (self._message_size if opcode == 0 else 0)
        if total > MAX_SKIPPED_BYTES:
            raise RemoteProtocolError(f"the server announced a message of {total} bytes; not reading that")
        if total <= self._max and not self._oversize:
            return False
        # From here on only the size of this message is kept.
        self._oversize = True
        self._message_size = total
        if opcode:
            self._message = bytearray()
        elif self._message is not None:
            self._message.clear()
        self._skip_fin = bool(first & 0x80)
        return True

    def _skip_from(self, data: bytes, out: list[Frame | Oversize]) -> bytes:
        taken = min(self._skip, len(data))
        self._skip -= taken
        if not self._skip:
            self._end_of_skipped(self._skip_fin, out)
        return data[taken:]

    def _end_of_skipped(self, fin: bool, out: list[Frame | Oversize]) -> None:
        if fin:
            out.append(Oversize(self._message_size))
            self._message = None
            self._message_size = 0
            self._oversize = False

    def _take(self, first: int, payload: bytes, out: list[Frame | Oversize]) -> None:
        opcode = Opcode(first & 0x0F)
        fin = bool(first & 0x80)
        if opcode >= Opcode.CLOSE:
            out.append(Frame(opcode, payload))
            return
        if opcode != Opcode.CONTINUATION:
            if fin:
                out.append(Frame(opcode, payload))
                return
            self._message = bytearray()
            self._message_opcode = opcode
            self._message_size = 0
        assert self._message is not None  # noqa: S101 - _judge refused a continuation of nothing
        self._message += payload
        self._message_size += len(payload)
        if fin:
            out.append(Frame(self._message_opcode, bytes(self._message)))
            self._message = None
            self._message_size = 0
