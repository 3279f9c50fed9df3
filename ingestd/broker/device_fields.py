"""What the registry takes as a device's name and fields. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from ingestd.broker.errors import BrokerError
from ingestd.broker.plain_json import problem_of

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")
_LONGEST_CHARS: Final = {
    "certificate_name": 256,
    "room_id": 128,
    "custom_room_id": 128,
    "participant_id": 128,
    "participant_name": 128,
    "region": 64,
}
_OBJECTS: Final = ("participant_metadata", "agent")
_LARGEST_OBJECT_BYTES: Final = 16 * 1024

FIELDS: Final = (*_LONGEST_CHARS, *_OBJECTS)
"""What a device may have beside its name; each may be None."""


def check_name(name: str) -> None:
    """Raises BrokerError unless a device can have that name."""
    if not _NAME.fullmatch(name):
        raise BrokerError(f"{name!a} can't be a device's name; give 1 to 128 of A-Z a-z 0-9 . _ -")


def check_fields(fields: Mapping[str, Any]) -> None:
    """Raises BrokerError for the first of `fields` that can't be kept."""
    for name, value in fields.items():
        if name in _LONGEST_CHARS:
            _check_text(name, value, _LONGEST_CHARS[name])
        elif name in _OBJECTS:
            _check_object(name, value)
        else:
            raise BrokerError(f"a device has no {name}; it has {', '.join(FIELDS)}")
    if fields.get("room_id") is not None and fields.get("custom_room_id") is not None:
        raise BrokerError("a device is in one room: give room_id, or custom_room_id to have it made, not both")
    if "," in (fields.get("certificate_name") or ""):
        # A proxy that adds its header to one from outside, joins the two by a comma.
        raise BrokerError("certificate_name can't have a comma; have the proxy hand over the name (CN) alone")
    agent = fields.get("agent")
    if agent is not None and not (isinstance(agent.get("id"), str) and agent["id"].strip()):
        raise BrokerError('agent needs an id, as in {"id": "…"}')


def _check_text(name: str, value: Any, longest_chars: int) -> None:
    if value is None:
        return
    if not (isinstance(value, str) and value.strip() and len(value) <= longest_chars and value.isprintable()):
        raise BrokerError(f"{name} can't be {value!a}; give 1 to {longest_chars} printable characters")


def _check_object(name: str, value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, dict):
        raise BrokerError(f'{name} is no JSON object; give one, as {{"site": "north"}}')
    if (problem := problem_of(value)) is not None:
        raise BrokerError(f"{name} {problem}; correct that")
    if len(json.dumps(value)) > _LARGEST_OBJECT_BYTES:
        raise BrokerError(f"{name} has more than {_LARGEST_OBJECT_BYTES} bytes; give less")
