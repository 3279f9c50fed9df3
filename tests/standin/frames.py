"""WebSocket frames (RFC 6455): a strict reader for what clients send, an encoder free to break every rule."""

from __future__ import annotations

import struct
from collections.abc import Iterator

CONTINUATION = 0x0
TEXT = 0x1
BINARY = 0x2
CLOSE = 0x8
PING = 0x9
PONG = 0xA

_SENDABLE_CODES = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014})


class BrokenRulesError(Exception):
    """The client broke RFC 6455; `code` is what to close with."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def encode(opcode: int, payload: bytes, *, fin: bool = True, mask: bytes | None = None, rsv: int = 0) -> bytes:
    """One frame. A server never masks and leaves `rsv` 0; the arguments exist for those who do."""
    head = header(opcode, len(payload), fin=fin, masked=mask is not None, rsv=rsv)
    return head + payload if mask is None else head + mask + _masked(payload, mask)


def header(opcode: int, length: int, *, fin: bool = True, masked: bool = False, rsv: int = 0) -> bytes:
    """The head of a frame that announces `length` bytes."""
    first = (0x80 if fin else 0) | (rsv << 4) | opcode
    bit = 0x80 if masked else 0
    if length < 126:
        return struct.pack("!BB", first, bit | length)
    if length < 65536:
        return struct.pack("!BBH", first, bit | 126, length)
    return struct.pack("!BBQ", first, bit | 127, length)


def close_payload(code: int | None, reason: str = "") -> bytes:
    """The payload of a close frame; empty without a code."""
    return b"" if code is None else struct.pack("!H", code) + reason.encode()[:123]


def parse_close(payload: bytes) -> tuple[int | None, str]:
    """Code and reason of a client's close frame; raises BrokenRulesError for what may not stand there."""
    if not payload:
        return None, ""
    if len(payload) == 1:
        raise BrokenRulesError(1002, "close frame of one byte")
    code = int(struct.unpack("!H", payload[:2])[0])
    if code not in _SENDABLE_CODES and not 3000 <= code <= 4999:
        raise BrokenRulesError(1002, f"close code {code}")
    try:
        return code, payload[2:].decode()
    except UnicodeDecodeError:
        raise BrokenRulesError(1007, "close reason is not UTF-8") from None


class FrameReader:
    """Turns bytes into messages; takes masked frames only, as a server must."""

    def __init__(self, max_message_bytes: int) -> None:
        self._max_bytes = max_message_bytes
        self._buffer = bytearray()
        self._opcode = 0
        self._parts = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield (opcode, payload) of each control frame and whole message that `data` completes."""
        self._buffer += data
        while (frame := self._next_frame()) is not None:
            fin, opcode, payload = frame
            if opcode >= CLOSE:
                if not fin or len(payload) > 125:
                    raise BrokenRulesError(1002, "control frame fragmented or too long")
                yield opcode, payload
                continue
            if (opcode == CONTINUATION) != bool(self._opcode):
                raise BrokenRulesError(1002, "fragments out of order")
            if fin and opcode:
                yield opcode, payload
                continue
            self._opcode = opcode or self._opcode
            self._parts += payload
            if fin:
                message = self._opcode, bytes(self._parts)
                self._opcode = 0
                self._parts.clear()
                yield message

    def _next_frame(self) -> tuple[bool, int, bytes] | None:
        """Take one frame out of the buffer; None while it is not complete."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        if buffer[0] & 0x70:
            raise BrokenRulesError(1002, "reserved bits are set")
        opcode = buffer[0] & 0x0F
        if opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
            raise BrokenRulesError(1002, f"unknown opcode {opcode}")
        if not buffer[1] & 0x80:
            raise BrokenRulesError(1002, "client frame is not masked")
        length, at = buffer[1] & 0x7F, 2
        if length >= 126:
            at = 4 if length == 126 else 10
            if len(buffer) < at:
                return None
            length = int.from_bytes(buffer[2:at], "big")
        if length + len(self._parts) > self._max_bytes:
            raise BrokenRulesError(1009, f"message of {length + len(self._parts)} bytes")
        end = at + 4 + length
        if len(buffer) < end:
            return None
        payload = _masked(bytes(buffer[at + 4 : end]), bytes(buffer[at : at + 4]))
        fin = bool(buffer[0] & 0x80)
        del buffer[:end]
        return fin, opcode, payload


def _masked(payload: bytes, mask: bytes) -> bytes:
    """`payload` with the mask applied (or taken off)."""
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(key, "little")).to_bytes(size, "little")
