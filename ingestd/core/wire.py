"""The service's frames: text in, typed events out, and back. Pure; any thread.

    client → server   start, media, stop, subscribe, unsubscribe, message
    server → client   media, message, meeting-joined, meeting-left, participant-joined, participant-left

A message that can't be read is a `WireError` with the kind of its fault; a frame with an unknown `event` is
`Unknown`, which is no fault: the service may grow. Missing fields of the frames that the vendor's page does
not describe are read as None.
"""

from __future__ import annotations

import binascii
import json
import math
from typing import Any, Final, NamedTuple

from ingestd.errors import WireError

SAMPLE_RATE_HZ: Final = 8000
FRAME_SAMPLES: Final = 160
FRAME_BYTES: Final = 320
FRAME_S: Final = 0.02
SILENCE: Final = bytes(FRAME_BYTES)

MAX_INBOUND_BYTES: Final = 65536
"""Largest message read. A payload of 8 KB whose every byte is escaped as \\u00XX comes to 49 kB."""
MAX_TOPIC_CHARS: Final = 128
MAX_DEPTH: Final = 64
"""How deep a value may be nested that is passed on: far below where copying or writing it meets Python's limit."""

WIRE_FAULTS: Final = (
    "oversize",
    "binary",
    "not_utf8",
    "not_json",
    "too_deep",
    "not_an_event",
    "bad_base64",
    "odd_length",
    "bad_media",
    "bad_message",
)
"""Every `WireError.kind`, for whoever counts them."""

START: Final = b'{"event":"start"}'
STOP: Final = b'{"event":"stop"}'

MEDIA_HEAD: Final = b'{"event":"media","payload":"'
"""A media frame as it is usually spelt: this, base64 and MEDIA_TAIL."""
MEDIA_TAIL: Final = b'"}'


class Media(NamedTuple):
    """Room audio: 16-bit little-endian PCM, 8 kHz mono, of any whole number of samples."""

    pcm: bytes


class Message(NamedTuple):
    """A message somebody published to `topic`. `timestamp` is the service's text (ISO 8601), unread."""

    topic: str
    text: str
    sender_id: str | None
    sender_name: str | None
    timestamp: str | None
    id: str | None


class Participant(NamedTuple):
    """Somebody in the room; `metadata` is whatever JSON the service sent."""

    id: str | None
    name: str | None
    metadata: Any


class MeetingJoined(NamedTuple):
    """The service has joined this session to its room."""

    room_id: str | None
    session_id: str | None


class MeetingLeft(NamedTuple):
    """The meeting has ended for this participant."""

    message: str | None


class ParticipantJoined(NamedTuple):
    """Somebody came into the room."""

    participant: Participant


class ParticipantLeft(NamedTuple):
    """Somebody left the room."""

    participant: Participant


class Unknown(NamedTuple):
    """An event this version does not know."""

    event: str


Event = Media | Message | MeetingJoined | MeetingLeft | ParticipantJoined | ParticipantLeft | Unknown


def encode_media(pcm: bytes) -> bytes:
    """The media frame of `pcm` (FRAME_BYTES in normal use) as JSON text."""
    return MEDIA_HEAD + binascii.b2a_base64(pcm, newline=False) + MEDIA_TAIL


def encode_subscribe(topic: str) -> bytes:
    """A subscribe frame."""
    return _compact({"event": "subscribe", "topic": topic})


def encode_unsubscribe(topic: str) -> bytes:
    """An unsubscribe frame."""
    return _compact({"event": "unsubscribe", "topic": topic})


def encode_message(topic: str, data: Any) -> bytes:
    """A message frame; `data` is a string or any JSON value."""
    return _compact({"event": "message", "topic": topic, "data": data})


def payload_size_bytes(data: Any) -> int:
    """What the service's limit on a payload counts: UTF-8 bytes of a string, or of a value once serialised."""
    return len(data.encode("utf-8") if isinstance(data, str) else _compact(data))


def _compact(value: Any) -> bytes:
    # allow_nan=False: NaN is not JSON, the service would refuse the whole frame.
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8")


def decode(text: bytes) -> Event:
    """The event of one inbound text message. Raises WireError."""
    if len(text) > MAX_INBOUND_BYTES:
        raise WireError("oversize", f"a message of {len(text)} bytes; the limit is {MAX_INBOUND_BYTES}")
    if text.startswith(MEDIA_HEAD) and text.endswith(MEDIA_TAIL):
        # The usual spelling of a media frame, read without a JSON parser (2 µs instead of 7).
        # base64 holds neither quotes nor backslashes, so strict decoding refuses whatever is not just that.
        try:
            return _media(binascii.a2b_base64(text[28:-2], strict_mode=True))
        except binascii.Error:
            pass  # the slow way names the fault
    return _decode_json(text)


def _finite(text: str) -> float:
    # Python would read NaN, Infinity and 1e999, and then write what no other JSON parser reads.
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("no JSON number")
    return value


_JSON: Final = json.JSONDecoder(parse_float=_finite, parse_constant=_finite)


def _decode_json(text: bytes) -> Event:
    try:
        frame = _JSON.decode(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise WireError("not_utf8", f"byte {error.start} is not UTF-8") from None
    except RecursionError:
        raise WireError("too_deep", "JSON nested deeper than this machine can read") from None
    except ValueError:
        # No part of the text goes into the error: it could be anything, and the error reaches the journal.
        raise WireError("not_json", f"{len(text)} bytes that are not JSON") from None
    if not isinstance(frame, dict) or not isinstance(event := frame.get("event"), str):
        raise WireError("not_an_event", "a JSON value without a text field `event`")
    match event:
        case "media":
            payload = frame.get("payload")
            if not isinstance(payload, str):
                raise WireError("bad_media", "a media frame without a text field `payload`")
            return _media(_base64(payload))
        case "message":
            return _message(frame)
        case "meeting-joined":
            return MeetingJoined(_text(frame, "roomId"), _text(frame, "sessionId"))
        case "meeting-left":
            return MeetingLeft(_text(frame, "message"))
        case "participant-joined":
            return ParticipantJoined(_participant(frame))
        case "participant-left":
            return ParticipantLeft(_participant(frame))
        case _:
            return Unknown(_clean(event[:MAX_TOPIC_CHARS]))


def _base64(payload: str) -> bytes:
    try:
        return binascii.a2b_base64(payload, strict_mode=True)
    except ValueError:  # binascii.Error, or text that is not ASCII
        raise WireError("bad_base64", f"a media payload of {len(payload)} characters that is not base64") from None


def _media(pcm: bytes) -> Media:
    if len(pcm) & 1:
        raise WireError("odd_length", f"a media payload of {len(pcm)} bytes; 16-bit samples need an even number")
    return Media(pcm)


def _message(frame: dict[str, Any]) -> Message:
    topic = frame.get("topic")
    data = frame.get("data")
    if not isinstance(topic, str) or not isinstance(data, dict):
        raise WireError("bad_message", "a message frame without a topic or without a data object")
    text = data.get("message")
    if not isinstance(text, str):
        # The page promises a string; a value that came unserialised is still of use to the receiver.
        if "message" not in data:
            raise WireError("bad_message", "a message frame whose data has no `message`")
        text = json.dumps(_shallow(text), ensure_ascii=False, separators=(",", ":"))
    return Message(
        topic=_clean(topic),
        text=_clean(text),
        sender_id=_text(data, "senderId"),
        sender_name=_text(data, "senderName"),
        timestamp=_text(data, "timestamp"),
        id=_text(data, "id"),
    )


def _participant(frame: dict[str, Any]) -> Participant:
    raw = frame.get("participant")
    fields: dict[str, Any] = raw if isinstance(raw, dict) else {}
    return Participant(_text(fields, "id"), _text(fields, "name"), _shallow(fields.get("metadata")))


def _shallow(value: Any) -> Any:
    """`value`, unless it is nested too deep to be passed on."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        nested = [item for item in level if isinstance(item, (dict, list))]
        if not nested:
            return value
        level = [child for item in nested for child in (item.values() if isinstance(item, dict) else item)]
    raise WireError("too_deep", f"a value nested deeper than {MAX_DEPTH} levels")


def _text(fields: dict[str, Any], key: str) -> str | None:
    value = fields.get(key)
    return _clean(value) if isinstance(value, str) else None


def _clean(text: str) -> str:
    # JSON can spell half a surrogate pair, which no log, socket or file could then encode.
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
