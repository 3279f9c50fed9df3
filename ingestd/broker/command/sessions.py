"""ingestd-broker sessions: what devices asked for lately, and what they were answered."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Final

from ingestd.broker.command.context import Context
from ingestd.broker.command.shown import NOTHING, say, screen_columns, table, utc, whole_number, without_year

if TYPE_CHECKING:
    from ingestd.broker.overview import SessionRow

    Parsers = argparse._SubParsersAction[argparse.ArgumentParser]

_USUAL: Final = 20
_CUT: Final = ((1, 4, 5),)
"""Device, room and call, before times and numbers, of which a piece says nothing."""


def add(parsers: Parsers) -> None:
    """Its arguments."""
    about = "show the newest sessions that devices asked for, newest first"
    parser = parsers.add_parser("sessions", help=about, description=about.capitalize() + ".")
    parser.add_argument("--device", metavar="NAME", help="of this device only")
    parser.add_argument(
        "--limit", type=whole_number(1_000_000), default=_USUAL, metavar="N", help=f"how many, default: {_USUAL}"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(run=_sessions)


def _sessions(arguments: argparse.Namespace, context: Context) -> int:
    from ingestd.broker.devices import Registry
    from ingestd.broker.overview import recent_sessions

    if arguments.device is not None:
        Registry(context.storage, context.now).get(arguments.device)
    with context.storage.reading() as connection:
        found = recent_sessions(connection, arguments.limit, arguments.device)
    if arguments.json:
        for row in found:
            context.out(json.dumps(row._asdict(), ensure_ascii=False))
        return 0
    if not found:
        say("No device has asked for a session yet.")
        return 0
    titles = ("ASKED (UTC)", "DEVICE", "STATUS", "TOOK", "ROOM", "CALL, OR WHY NONE")
    columns = screen_columns()
    for line in table(titles, without_year([_row(one) for one in found], columns), columns, order=_CUT):
        context.out(line)
    return 0


def _row(one: SessionRow) -> tuple[str, ...]:
    took = NOTHING if one.answered_ms is None else f"{max(0, one.answered_ms - one.asked_ms) / 1000:.2f} s"
    why = one.call_id or one.message or NOTHING
    return utc(one.asked_ms), one.device, str(one.status or NOTHING), took, one.room_id or NOTHING, why
