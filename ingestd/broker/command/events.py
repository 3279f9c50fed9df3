"""ingestd-broker events: what the service told of its calls, and what it tells while one looks on."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import SQLAlchemyError

from ingestd.broker.command.context import Context
from ingestd.broker.command.shown import say, screen_columns, table, utc, whole_number, without_year
from ingestd.broker.storage import told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingestd.broker.event_feed import EventFeed
    from ingestd.broker.events import Event

    Parsers = argparse._SubParsersAction[argparse.ArgumentParser]

_USUAL: Final = 20
_MOST: Final = 100_000
_EVERY_S: Final = 1.0
_TITLES: Final = ("HAPPENED (UTC)", "DEVICE", "EVENT", "ROOM", "CALL")
# Keeps the columns in their places from one look to the next.
_WIDEST: Final = ("2026-01-01 00:00:00", "d" * 14, "call-transferred", "room-room-room", "c" * 36)


def add(parsers: Parsers) -> None:
    """Its arguments."""
    about = "show the newest events of calls that the service told of, in the order of their coming"
    parser = parsers.add_parser("events", help=about, description=about.capitalize() + ".")
    parser.add_argument("--follow", action="store_true", help="go on with what comes, until Ctrl-C")
    parser.add_argument("--device", metavar="NAME", help="of this device's sessions only")
    parser.add_argument(
        "--limit", type=whole_number(_MOST, 0), default=_USUAL, metavar="N", help=f"how many, default: {_USUAL}"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line, with the body as it came")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    """0. Raises BrokerError for a device that is not known, and SQLAlchemyError, but not while it follows."""
    from ingestd.broker.devices import Registry
    from ingestd.broker.event_feed import EventFeed
    from ingestd.broker.events import Events

    if arguments.device is not None:
        Registry(context.storage, context.now).get(arguments.device)
    events, output = Events(context.storage, context.now), _Output(context, arguments.json)
    if not arguments.follow:
        found = events.latest(arguments.limit, arguments.device) if arguments.limit else []
        output.show(found)
        if not found:
            say("No event has come yet; ingestd-broker webhook register URL asks the service for them.")
        return 0
    _follow(EventFeed(events, arguments.device), output, arguments.limit)
    return 0  # never: it ends by KeyboardInterrupt, or when nobody reads what it prints


def _follow(feed: EventFeed, output: _Output, limit: int) -> None:
    output.show(feed.begin(limit, time.monotonic()))
    away = False
    while True:
        try:
            output.show(feed.more(time.monotonic()))
            away = _told_of(away, None)
        except SQLAlchemyError as error:
            away = _told_of(away, error)
        time.sleep(_EVERY_S)


def _told_of(was_away: bool, error: SQLAlchemyError | None) -> bool:
    """Says once that the database can't be read, and once that it can again; whether it can't."""
    if error is not None and not was_away:
        say(f"The database can't be read: {told(error)}; trying on.")
    elif error is None and was_away:
        say("The database can be read again.")
    return error is not None


class _Output:
    """Prints events; the titles before the first of them."""

    def __init__(self, context: Context, as_json: bool) -> None:
        self._context = context
        self._as_json = as_json
        self._titled = False

    def show(self, events: Sequence[Event]) -> None:
        if not events:
            return
        for line in self._json_lines(events) if self._as_json else self._table_lines(events):
            self._context.out(line)
        sys.stdout.flush()  # whoever follows waits for it

    def _json_lines(self, events: Sequence[Event]) -> list[str]:
        return [json.dumps(event._asdict()) for event in events]

    def _table_lines(self, events: Sequence[Event]) -> list[str]:
        columns = screen_columns()
        rows = without_year([_WIDEST, *map(_row, events)], columns)
        titles, _widest, *lines = table(_TITLES, rows, columns)
        first = [] if self._titled else [titles]
        self._titled = True
        return first + lines


def _row(event: Event) -> tuple[str, ...]:
    when = event.received_ms if event.happened_ms is None else event.happened_ms
    return utc(when), event.device or "", event.kind, event.room_id or "", event.call_id or ""
