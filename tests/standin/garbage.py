"""Malformed messages a device must survive, as the bytes of WebSocket frames."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from tests.standin import frames
from tests.standin.mixing import SILENCE, media_message

_MIB = 1 << 20


def _text(payload: str | bytes) -> bytes:
    return frames.encode(frames.TEXT, payload.encode() if isinstance(payload, str) else payload)


def _json(value: Any) -> bytes:
    return _text(json.dumps(value))


def _media(payload: Any) -> bytes:
    return _json({"event": "media", "payload": payload})


def _fragmented() -> bytes:
    """A good media message in three fragments with a ping between them: legal, and seldom tested."""
    message = media_message(SILENCE)
    return (
        frames.encode(frames.TEXT, message[:100], fin=False)
        + frames.encode(frames.CONTINUATION, message[100:101], fin=False)
        + frames.encode(frames.PING, b"between")
        + frames.encode(frames.CONTINUATION, message[101:])
    )


KINDS: dict[str, Callable[[], bytes]] = {
    # messages that are well-framed and make no sense: a client should count them and go on
    "bad_json": lambda: _text('{"event": "media", "payload": '),
    "not_an_object": lambda: _json(["event", "media"]),
    "null": lambda: _text("null"),
    "no_event": lambda: _json({"payload": "AAAA"}),
    "event_not_a_string": lambda: _json({"event": 7}),
    "unknown_event": lambda: _json({"event": "weather", "sunny": True}),
    "empty_message": lambda: _text(""),
    "binary": lambda: frames.encode(frames.BINARY, bytes(range(256))),
    "big_message": lambda: _media("A" * _MIB),
    "deep_nesting": lambda: _text('{"event":' + "[" * 100_000 + "]" * 100_000 + "}"),
    "odd_payload": lambda: _media(base64.b64encode(bytes(321)).decode()),
    "bad_base64": lambda: _media("@@@ no base64 @@@"),
    "payload_not_a_string": lambda: _media({"pcm": 1}),
    "no_payload": lambda: _json({"event": "media"}),
    "empty_payload": lambda: _media(""),
    "long_payload": lambda: _media(base64.b64encode(bytes(160_000)).decode()),
    "message_without_data": lambda: _json({"event": "message", "topic": "CHAT"}),
    "message_of_text": lambda: _json({"event": "message", "topic": "CHAT", "data": "bare"}),
    "huge_number": lambda: _text('{"event":"media","payload":' + "9" * 10_000 + "}"),
    "lone_surrogate": lambda: _text('{"event":"message","topic":"\\ud800","data":{"message":"\\udfff"}}'),
    "fragmented": _fragmented,
    # frames that break RFC 6455: a client has to close with 1002, 1007 or 1009
    "masked": lambda: frames.encode(frames.TEXT, media_message(SILENCE), mask=b"\x01\x02\x03\x04"),
    "reserved_bits": lambda: frames.encode(frames.TEXT, b"{}", rsv=4),
    "unknown_opcode": lambda: frames.encode(0x3, b"{}"),
    "bad_utf8": lambda: _text(b'{"event":"\xff\xfe"}'),
    "stray_continuation": lambda: frames.encode(frames.CONTINUATION, b"{}"),
    "fragmented_ping": lambda: frames.encode(frames.PING, b"", fin=False),
    "long_ping": lambda: frames.encode(frames.PING, bytes(126)),
    "terabyte_header": lambda: frames.header(frames.TEXT, 1 << 40),
    "negative_length": lambda: frames.header(frames.TEXT, 1 << 63),
    "short_close": lambda: frames.encode(frames.CLOSE, b"\x03"),
    "bad_close_code": lambda: frames.encode(frames.CLOSE, (1005).to_bytes(2, "big")),
}
"""Kind → the bytes to write."""

BREAKS_OFF = (
    "masked",
    "reserved_bits",
    "unknown_opcode",
    "stray_continuation",
    "fragmented_ping",
    "long_ping",
    "terabyte_header",
    "negative_length",
    "short_close",
    "bad_close_code",
)
"""Breaks RFC 6455, after which a connection can't be trusted any more; all else is counted and passed over."""
