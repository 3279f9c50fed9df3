"""ingestd-broker migrate: brings the database's tables up to date, as serve does by itself when it starts."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ingestd.broker.command.context import Context

if TYPE_CHECKING:
    Parsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add(parsers: Parsers) -> None:
    """Its arguments."""
    parsers.add_parser(
        "migrate",
        help="bring the database's tables up to date, as serve and every other command do by themselves",
        description="Makes the database's tables, or brings those of an older version up to date, in one transaction. "
        "Serve and every other command but check do so by themselves; of several at once, one does it.",
    ).set_defaults(run=run)


def run(_arguments: argparse.Namespace, context: Context) -> int:
    """0. Raises BrokerError."""
    context.out(f"{context.storage.shown}: up to date")
    return 0
