"""ingestd-broker: serves, and does what its operators ask for."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from ingestd import __version__
from ingestd.broker.command import check, device, events, migrate, prune, serve, sessions, token, webhook
from ingestd.broker.command.context import Context, with_remedy
from ingestd.broker.errors import BrokerError, ServiceError
from ingestd.broker.logs import tell_fault
from ingestd.broker.settings import DEFAULT_FILE
from ingestd.broker.storage import told
from ingestd.errors import ConfigError

EXIT_REFUSED: Final = 1
EXIT_CONFIG: Final = 78  # EX_CONFIG, sysexits.h
EXIT_INTERRUPTED: Final = 130
EXIT_PIPE: Final = 141  # as a shell shows SIGPIPE

_COMMANDS: Final = (serve, check, device, sessions, events, webhook, token, prune, migrate)
"""In the order of the help."""


def main(argv: Sequence[str] | None = None) -> int:
    """The command; its exit statuses are in the help."""
    arguments = parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments, Context(arguments.config))
        sys.stdout.flush()
    except ConfigError as error:
        tell_fault("\n".join(error.faults))
        return EXIT_CONFIG
    except (BrokerError, ServiceError) as error:
        return _refused(str(error))
    except SQLAlchemyError as error:
        return _refused(f"the database can't be used: {told(error)}; see that it runs and that its disk has room")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes it once more at its end
        return EXIT_PIPE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return status


def parser() -> argparse.ArgumentParser:
    """All commands with their arguments."""
    everything = argparse.ArgumentParser(
        prog="ingestd-broker",
        description="The backend that devices get their sessions from, so that none holds a token of the service.",
        epilog=f"Exit status: 0 done; {EXIT_REFUSED} it can't be done, standard error tells why; 2 not a command; "
        f"{EXIT_CONFIG} the configuration can't be used, with every fault; {EXIT_INTERRUPTED} interrupted; "
        f"{EXIT_PIPE} whoever read the output has gone.",
    )
    everything.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    everything.add_argument(
        "--config",
        type=Path,
        default=DEFAULT_FILE,
        metavar="FILE",
        help=f"the configuration, default: {DEFAULT_FILE}; conf.d/*.yaml beside it is laid over it",
    )
    parsers = everything.add_subparsers(required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add(parsers)
    return everything


def _refused(text: str) -> int:
    tell_fault(f"ingestd-broker: {with_remedy(text)}")
    return EXIT_REFUSED
