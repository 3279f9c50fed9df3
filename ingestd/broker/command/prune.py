"""ingestd-broker prune: deletes old sessions and events."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ingestd.broker.command.context import Context
from ingestd.broker.command.shown import whole_number
from ingestd.broker.pruning import prune

if TYPE_CHECKING:
    Parsers = argparse._SubParsersAction[argparse.ArgumentParser]

_DAY_MS = 86_400_000
_MOST_DAYS = 36_500


def add(parsers: Parsers) -> None:
    """Its arguments."""
    parser = parsers.add_parser(
        "prune",
        help="delete old sessions and events",
        description="Deletes sessions and events that are older than storage.keep_days, while the broker runs. What "
        "tells how a device stands is kept: its newest session, its newest call and that call's events. A timer runs "
        "it each day.",
    )
    parser.add_argument(
        "--days", type=whole_number(_MOST_DAYS), metavar="N", help="older than N days, instead of storage.keep_days"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    """0. Raises BrokerError, SQLAlchemyError."""
    days: int = arguments.days or context.settings.storage.keep_days
    pruned = prune(context.storage, int(context.now() * 1000) - days * _DAY_MS)
    context.out(f"deleted {pruned.sessions} sessions and {pruned.events} events that were older than {days} days")
    return 0
