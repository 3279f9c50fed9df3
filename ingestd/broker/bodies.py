"""What a device asks for, and what the service is asked for it. Pure; any thread."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ingestd.broker.errors import Refused
from ingestd.broker.plain_json import read

if TYPE_CHECKING:
    from ingestd.broker.devices import Device

LARGEST_BYTES: Final = 64 * 1024
LONGEST_TEXT_CHARS: Final = 128
"""Of a room, an id, a name."""
LONGEST_REGION_CHARS: Final = 64


class Wanted(NamedTuple):
    """What the service is to be asked for."""

    body: dict[str, Any]
    """The page's request; without `roomId` where `custom_room_id` is given."""
    custom_room_id: str | None
    """The name of ours of the room that is to be made; None where the room is known."""
    left_out: tuple[str, ...]
    """What the device set and may not."""


def asked_in(body: bytes) -> Mapping[str, Any]:
    """The fields in a request's body, checked; unknown ones are left out. No body is no fields.

    Raises Refused (400), which names the field.
    """
    if not body:
        return {}
    try:
        value = read(body)
    except ValueError as error:
        raise _refused(f"The body {error}") from None
    if not isinstance(value, dict):
        raise _refused("The body is no JSON object")
    asked: dict[str, Any] = {}
    _take(value, "roomId", "roomId", _text(LONGEST_TEXT_CHARS), asked)
    participant = _part(value, "participant")
    if participant is not None:
        kept: dict[str, Any] = {}
        for key in ("id", "name"):
            _take(participant, key, f"participant.{key}", _text(LONGEST_TEXT_CHARS), kept)
        _take(participant, "metadata", "participant.metadata", _object, kept)
        asked["participant"] = kept
    agent = _part(value, "agent")
    if agent is not None:
        known: dict[str, Any] = {}
        _take(agent, "id", "agent.id", _text(LONGEST_TEXT_CHARS), known)
        _take(agent, "metadata", "agent.metadata", _object, known)
        if "id" not in known:
            raise _refused("agent.id is missing")
        asked["agent"] = agent  # with what else is in it: the service knows more than its page tells
    _take(value, "region", "region", _text(LONGEST_REGION_CHARS), asked)
    return asked


def wanted(device: Device, asked: Mapping[str, Any], may_set: Collection[str], *, make_rooms: bool) -> Wanted:
    """The registry's fields for a device, with those of its own that it may set, in the page's shape.

    `asked` is of `asked_in`. Raises Refused (400) where neither names a room.
    """
    left_out: list[str] = []

    def chosen(field: str, own: Any, registered: Any) -> Any:
        if own is None:
            return registered
        if field in may_set:
            return own
        left_out.append(field)
        return registered

    who: Mapping[str, Any] = asked.get("participant", {})
    room_id = chosen("room_id", asked.get("roomId"), device.room_id)
    participant = {
        "id": chosen("participant.id", who.get("id"), device.participant_id),
        "name": chosen("participant.name", who.get("name"), device.participant_name),
        "metadata": chosen("participant.metadata", who.get("metadata"), device.participant_metadata),
    }
    body = {
        "roomId": room_id,
        "participant": _given(participant) or None,
        "agent": chosen("agent", asked.get("agent"), device.agent),
        "region": chosen("region", asked.get("region"), device.region),
    }
    made = device.custom_room_id if room_id is None and make_rooms else None
    if room_id is None and made is None:
        raise _no_room(device)
    return Wanted(_given(body), made, tuple(left_out))


def _no_room(device: Device) -> Refused:
    how = (
        "turns devices.make_rooms on in the broker's configuration"
        if device.custom_room_id is not None
        else f"gives it one: ingestd-broker device change {device.name} --room ROOM"
    )
    return Refused(400, f"No room is set for this device; the broker's operator {how}", code="no-room")


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _take(
    fields: Mapping[str, Any], key: str, name: str, fault: Callable[[Any], str | None], into: dict[str, Any]
) -> None:
    if key not in fields:
        return
    if (problem := fault(fields[key])) is not None:
        raise _refused(f"{name} {problem}")
    into[key] = fields[key]


def _part(fields: Mapping[str, Any], key: str) -> dict[str, Any] | None:
    into: dict[str, Any] = {}
    _take(fields, key, key, _object, into)
    return into.get(key)


def _object(value: Any) -> str | None:
    return None if isinstance(value, dict) else "is no object"


def _text(longest_chars: int) -> Callable[[Any], str | None]:
    def fault(value: Any) -> str | None:
        usable = isinstance(value, str) and value.strip() and len(value) <= longest_chars
        return None if usable else f"is no text of 1 to {longest_chars} characters"

    return fault


def _refused(message: str) -> Refused:
    return Refused(400, message, code="bad-request")
