"""ingestctl: asks a running ingestd, over its control socket, and looks after the device it runs on."""

from __future__ import annotations

import argparse
import io
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ingestd import __version__
from ingestd.control.protocol import RpcError
from ingestd.ctl import away, calls, devices, doctor, messages, setup, sound, status, watch
from ingestd.ctl.command import (
    DEFAULT_SOCKET,
    EXIT_INTERRUPTED,
    EXIT_PIPE,
    EXIT_REFUSED,
    EXIT_UNREACHABLE,
    Command,
    CommandError,
    OutputGoneError,
)
from ingestd.ctl.paint import wrapped

COMMANDS: Final[tuple[Command, ...]] = (
    *status.COMMANDS,
    *watch.COMMANDS,
    *doctor.COMMANDS,
    *calls.COMMANDS,
    *sound.COMMANDS,
    *messages.COMMANDS,
    *devices.COMMANDS,
    *setup.COMMANDS,
)
"""In the order of the help."""


def main(argv: Sequence[str] | None = None) -> int:
    """The command; its exit statuses are in the help."""
    _open_what_is_closed()
    if isinstance(sys.stdout, io.TextIOWrapper):  # standard error does so by itself
        sys.stdout.reconfigure(errors="replace")  # letters of a stranger that this terminal's encoding does not have
    arguments = parser().parse_args(argv)
    arguments.socket_given, arguments.socket = arguments.socket, arguments.socket or DEFAULT_SOCKET
    command: Command = arguments.command
    try:
        return command.run(arguments)
    except (RpcError, CommandError) as error:
        _complain(f"ingestctl: {error}")
        return EXIT_REFUSED
    except OutputGoneError:
        return EXIT_PIPE
    except OSError as error:
        _complain(f"ingestctl: {away.no_answer(arguments.socket, error)}\n{away.remedy(error)}")
        return EXIT_UNREACHABLE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _open_what_is_closed() -> None:
    """Where the shell closed standard input or an output, Python has None; and the next file opened had its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def _complain(text: str) -> None:
    columns = shutil.get_terminal_size().columns if sys.stderr.isatty() else None
    for paragraph in text.splitlines():
        print(*wrapped(paragraph, columns), sep="\n", file=sys.stderr)


def parser() -> argparse.ArgumentParser:
    """All commands with their arguments."""
    everything = argparse.ArgumentParser(
        prog="ingestctl",
        description="Asks the ingestd that runs on this device, and looks after the device.",
        epilog="Exit status: 0 done; 1 refused, or something is not well; 2 not a command; 3 no ingestd answers; "
        "4 a call is wanted, and the device is not in the room (status); 5 it is where it should be, but something is "
        "not well (status); 130 interrupted; 141 whoever read the output has gone.",
    )
    everything.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    _add_common(everything, None, False)
    commands = everything.add_subparsers(dest="name", required=True, metavar="COMMAND")
    for command in COMMANDS:
        one = commands.add_parser(command.name, help=command.help, description=command.description or command.help)
        _add_common(one, argparse.SUPPRESS, argparse.SUPPRESS)  # before or after the command, as people type it
        command.add_arguments(one)
        one.set_defaults(command=command)
    return everything


def _add_common(to: argparse.ArgumentParser, socket: str | None, json: bool | str) -> None:
    shown = DEFAULT_SOCKET
    to.add_argument("--socket", type=Path, default=socket, metavar="PATH", help=f"control socket, default: {shown}")
    to.add_argument("--json", action="store_true", default=json, help="for programs: JSON")


if __name__ == "__main__":
    sys.exit(main())
