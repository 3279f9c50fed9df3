"""ingestd-broker serve: answers devices, webhooks and operators until it is told to stop."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ingestd.broker.command.context import Context
from ingestd.broker.settings import read_settings

if TYPE_CHECKING:
    Parsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add(parsers: Parsers) -> None:
    """Its arguments."""
    parsers.add_parser(
        "serve",
        help="answer devices, webhooks and operators until told to stop",
        description="Brings the database up to date, then answers requests until SIGTERM. SIGHUP reads the "
        "configuration anew, certificates included, and replaces the processes once they have answered what they had; "
        "only listen.address and listen.workers wait for a restart. Logs to standard error.",
    ).set_defaults(run=run)


def run(_arguments: argparse.Namespace, context: Context) -> int:
    """Ends the process. Raises BrokerError, ConfigError."""
    from ingestd.broker.serve import serve

    context.storage.engine.dispose()  # a connection that crosses a fork is nobody's
    serve(context.settings, lambda: read_settings(context.config))
