"""Reading what a client sent: JSON text to a frame, a media payload to PCM."""

from __future__ import annotations

import binascii
import json
from typing import Any, NoReturn


class MalformedError(Exception):
    """An inbound message that can't be used; `kind` is the counter it goes to."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


def parse(text: str) -> dict[str, Any]:
    """A text message as a frame with an `event`; raises MalformedError."""
    try:
        frame = _DECODER.decode(text)
    except (ValueError, RecursionError):
        raise MalformedError("bad_json") from None
    if not isinstance(frame, dict):
        raise MalformedError("not_an_object")
    if not isinstance(frame.get("event"), str):
        raise MalformedError("no_event")
    return frame


def media_pcm(frame: dict[str, Any]) -> bytes:
    """The PCM of a media frame; raises MalformedError."""
    payload = frame.get("payload")
    if not isinstance(payload, str):
        raise MalformedError("payload_not_a_string")
    try:
        pcm = binascii.a2b_base64(payload, strict_mode=True)
    except ValueError:
        raise MalformedError("bad_base64") from None
    if not pcm:
        raise MalformedError("empty_payload")
    if len(pcm) % 2:
        raise MalformedError("odd_length")
    return pcm


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
