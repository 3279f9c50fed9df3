"""ingestd-broker device: registers devices, shows where they stand, gives them other keys."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from ingestd.broker.command.context import Context
from ingestd.broker.command.shown import NOTHING, ago, printable, say, screen_columns, table, utc
from ingestd.broker.errors import BrokerError

if TYPE_CHECKING:
    from ingestd.broker.devices import Registry
    from ingestd.broker.overview import DeviceState

    Parsers = argparse._SubParsersAction[argparse.ArgumentParser]

_OPTIONS: Final = (
    ("--room", "room_id", "ID", "the room that it joins"),
    ("--custom-room", "custom_room_id", "ID", "a name of yours for its room, which the service is asked to make"),
    ("--participant-id", "participant_id", "ID", "who it is in the room"),
    ("--participant-name", "participant_name", "NAME", "what it is called there"),
    ("--metadata", "participant_metadata", "JSON", "metadata of the participant: a JSON object"),
    ("--agent", "agent", "JSON", 'the AI agent to attach: {"id": "…", "metadata": {…}}'),
    ("--region", "region", "REGION", "where its sessions are taken in"),
    ("--certificate-name", "certificate_name", "NAME", "the name in its client certificate, behind a trusted proxy"),
)
_OBJECTS: Final = {
    "participant_metadata": ("--metadata", '{"site": "north"}'),
    "agent": ("--agent", '{"id": "…"}'),
}
"""The fields that are JSON objects, with their options and an example of each."""
_AT_A_TIME: Final = 500
_CUT: Final = ((2,), (1, 3, 4))
"""On a narrow terminal the room goes first, and the name last: every other command asks for it."""
_KEY_ONCE: Final = (
    "Its key is on standard output, and nowhere else: only a hash of it is kept.\n"
    "On the device it belongs into the file that backend.token_file names;\n"
    "backend.url there is https://THIS-BROKER/v1/sessions."
)


def add(parsers: Parsers) -> None:
    """Its arguments."""
    about = "register devices, show where they stand, give them other keys"
    device = parsers.add_parser("device", help=about, description=about.capitalize() + ".")
    actions = device.add_subparsers(required=True, metavar="ACTION")

    adding = _action(actions, "add", "register a device; its key alone goes to standard output, and is shown once")
    _add_options(adding, "")
    adding.set_defaults(run=_add)

    listing = actions.add_parser("list", help="show all devices and where they stand", description="Shows all devices.")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    listing.set_defaults(run=_list)

    _action(actions, "show", "show what is known of a device").set_defaults(run=_show)

    changing = _action(actions, "change", "give a device other fields; its session stays, the next one has them")
    _add_options(changing, "; '' takes it away")
    changing.set_defaults(run=_change)

    _action(actions, "disable", "give a device no more sessions; the one it has goes on").set_defaults(run=_disable)
    _action(actions, "enable", "let a disabled device in again, by the key it has").set_defaults(run=_enable)
    rotating = _action(actions, "rotate-key", "give a device a new key, shown once; the old one is dead at once")
    rotating.set_defaults(run=_rotate)


def _action(actions: Parsers, name: str, about: str) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=about, description=about[0].upper() + about[1:] + ".")
    parser.add_argument("name", metavar="NAME", help="the device: 1 to 128 of A-Z a-z 0-9 . _ -")
    return parser


def _add_options(parser: argparse.ArgumentParser, more: str) -> None:
    rooms = parser.add_mutually_exclusive_group()
    for option, field, value, about in _OPTIONS:
        place = rooms if field in ("room_id", "custom_room_id") else parser
        place.add_argument(option, dest=field, metavar=value, help=about + more)


def _add(arguments: argparse.Namespace, context: Context) -> int:
    from ingestd.broker.devices import NewDevice

    new = NewDevice(arguments.name, **_fields(arguments))
    key = _registry(context).add(new)
    context.out(key)
    say(f"{new.name} is registered{_room_told(context, new)}.\n{_KEY_ONCE}")
    return 0


def _room_told(context: Context, new: Any) -> str:
    if new.room_id is not None:
        return f" for the room {printable(new.room_id)}"
    if new.custom_room_id is not None:
        made = "" if context.settings.devices.make_rooms else "; turn devices.make_rooms on, or it gets no session"
        return f" for a room that is made as {printable(new.custom_room_id)}{made}"
    if "room_id" in context.settings.devices.may_set:
        return ", and names its room itself"
    return f", but has no room yet: ingestd-broker device change {new.name} --room ID"


def _list(arguments: argparse.Namespace, context: Context) -> int:
    if arguments.json:
        for state in _states(context):
            context.out(json.dumps(state._asdict() | _nested(state), ensure_ascii=False))
        return 0
    now_s = context.now()
    rows = [_row(state, now_s) for state in _states(context)]
    if not rows:
        say("No device is registered yet: ingestd-broker device add NAME --room ID")
        return 0
    for line in table(("NAME", "STATE", "ROOM", "LAST SESSION", "LAST EVENT"), rows, screen_columns(), order=_CUT):
        context.out(line)
    return 0


def _states(context: Context) -> Iterator[DeviceState]:
    from ingestd.broker.overview import device_states

    after = None
    while True:
        with context.storage.reading() as connection:
            page = device_states(connection, after, _AT_A_TIME)
        yield from page
        if len(page) < _AT_A_TIME:
            return
        after = page[-1].name


def _nested(state: DeviceState) -> dict[str, Any]:
    session, event = state.last_session, state.last_event
    return {"last_session": session and session._asdict(), "last_event": event and event._asdict()}


def _row(state: DeviceState, now_s: float) -> tuple[str, ...]:
    last = state.last_session
    room = state.room_id or (last and last.room_id) or NOTHING
    event = _last_event(state, now_s).removeprefix("call-")  # so begin all that are documented, and the room is short
    return state.name, _standing(state), room, _last_session(state, now_s), event


def _standing(state: DeviceState) -> str:
    live = "live" if state.live else "not live"
    return live if state.enabled else f"disabled, {live}" if state.live else "disabled"


def _last_session(state: DeviceState, now_s: float) -> str:
    last = state.last_session
    return NOTHING if last is None else f"{last.status or 'no answer'}, {ago(last.asked_ms, now_s)}"


def _last_event(state: DeviceState, now_s: float) -> str:
    last = state.last_event
    if last is None:
        return NOTHING
    return f"{last.kind}, {ago(last.received_ms if last.at_ms is None else last.at_ms, now_s)}"


def _show(arguments: argparse.Namespace, context: Context) -> int:
    from ingestd.broker.overview import device_states

    device = _registry(context).get(arguments.name)
    with context.storage.reading() as connection:
        states = device_states(connection, None, 1, [device.name])
    now_s = context.now()
    lines = {"name": device.name}
    for state in states:  # none where it was renamed meanwhile
        lines |= {"state": _standing(state), "last session": _last_session(state, now_s)}
        if state.last_session is not None and state.last_session.call_id is not None:
            lines["call"] = state.last_session.call_id
        lines["last event"] = _last_event(state, now_s)
    for option, field, _, _ in _OPTIONS:
        value = getattr(device, field)
        lines[option[2:].replace("-", " ")] = _told(value)
    lines["registered"] = f"{utc(device.created_ms)} UTC"
    width = max(map(len, lines)) + 2
    for name, text in lines.items():
        context.out(f"{name + ':':{width}}{printable(text)}")
    return 0


def _told(value: Any) -> str:
    if value is None:
        return NOTHING
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _change(arguments: argparse.Namespace, context: Context) -> int:
    fields = _fields(arguments)
    if not fields:
        raise BrokerError("nothing to change; see `ingestd-broker device change --help` for what a device has")
    _registry(context).change(
        arguments.name, **{name: None if value == "" else value for name, value in fields.items()}
    )
    say(f"{arguments.name} is changed; its next session has it.")
    return 0


def _disable(arguments: argparse.Namespace, context: Context) -> int:
    _registry(context).disable(arguments.name)
    say(f"{arguments.name} is disabled: it gets no more sessions; one that it has goes on until it ends.")
    return 0


def _enable(arguments: argparse.Namespace, context: Context) -> int:
    _registry(context).enable(arguments.name)
    say(f"{arguments.name} is enabled.")
    return 0


def _rotate(arguments: argparse.Namespace, context: Context) -> int:
    context.out(_registry(context).rotate_key(arguments.name))
    say(f"{arguments.name} has a new key; the old one is good for nothing from now on.\n{_KEY_ONCE}")
    return 0


def _fields(arguments: argparse.Namespace) -> dict[str, Any]:
    """What was given on the command line, JSON read. Raises BrokerError."""
    given = {field: getattr(arguments, field) for _, field, _, _ in _OPTIONS}
    return {field: _value(field, text) for field, text in given.items() if text is not None}


def _value(field: str, text: str) -> Any:
    if field not in _OBJECTS or not text:
        return text
    option, example = _OBJECTS[field]
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BrokerError(f"{option} is not JSON: {error}; give an object, as '{example}'") from None
    if not isinstance(value, dict):
        raise BrokerError(f"{option} is no JSON object; give one, as '{example}'")
    return value


def _registry(context: Context) -> Registry:
    from ingestd.broker.devices import Registry

    return Registry(context.storage, context.now)
