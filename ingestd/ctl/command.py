"""What every command of ingestctl is made of: its name and help, its arguments, its exit status."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

from ingestd.control.client import ControlClient
from ingestd.ctl.paint import is_unicode

DEFAULT_SOCKET: Final = Path("/run/ingestd/control.sock")
DEFAULT_CONFIG: Final = Path("/etc/ingestd/ingestd.yaml")

EXIT_OK: Final = 0
EXIT_REFUSED: Final = 1
"""The daemon refused, or what was looked for is not well."""
EXIT_USAGE: Final = 2
EXIT_UNREACHABLE: Final = 3
"""No daemon answers on the control socket."""
EXIT_INTERRUPTED: Final = 130
EXIT_PIPE: Final = 141  # as a shell shows SIGPIPE


class CommandError(Exception):
    """The command can't do what was asked; its text says why, and what to do. Exit EXIT_REFUSED."""


class OutputGoneError(Exception):
    """Whoever read our output has gone (`| head`), which is no fault."""


def no_arguments(_parser: argparse.ArgumentParser) -> None:
    """For commands that take none."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `run` takes the parsed arguments and returns the exit status.

    Those are `socket`, `socket_given` (None where nobody gave one), `json` and its own.
    `run` may raise CommandError, RpcError (the daemon refused), OSError (no daemon), KeyboardInterrupt.
    """

    name: str
    help: str
    """One line, for the list of commands."""
    run: Callable[[argparse.Namespace], int]
    add_arguments: Callable[[argparse.ArgumentParser], None] = no_arguments
    description: str | None = None
    """More than the one line, for its own `--help`."""


def connect(arguments: argparse.Namespace) -> ControlClient:
    """A connection to the daemon. Raises OSError."""
    return ControlClient(arguments.socket)


def end_by_signal(number: int, _frame: FrameType | None) -> NoReturn:
    """A signal's handler that ends the program as a shell shows it, after all that is to be tidied up."""
    raise SystemExit(128 + number)


def finite(text: str) -> float:
    """For `type` of argparse: a number, but neither NaN nor infinite."""
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return found


def say_json(value: Any, indent: int | None = None) -> None:
    """Prints JSON at once, in which no character that a stranger wrote moves the cursor. Raises as `say`."""
    text = json.dumps(value, indent=indent, ensure_ascii=not is_unicode(sys.stdout.encoding))
    say("".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text))


def say(text: str) -> None:
    """Prints a line at once. Raises OutputGoneError; CommandError where it can't be written."""
    try:
        print(text, flush=True)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would complain at exit
        if isinstance(error, BrokenPipeError):
            raise OutputGoneError from None
        raise CommandError(f"can't write what is to be shown: {error.strerror or error}") from None
