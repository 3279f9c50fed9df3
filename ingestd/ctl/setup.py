"""ingestctl setup: asks for backend, token, room and devices, tries them, and writes the configuration."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ingestd.ctl.command import DEFAULT_CONFIG, EXIT_OK, Command, CommandError, say
from ingestd.ctl.paint import tied

if TYPE_CHECKING:
    from ingestd.config import Secret

_DEVICES: Final = ("audio.capture.device", "audio.playback.device")
_MAX_TOKEN_BYTES: Final = 16 * 1024


def _setup(arguments: argparse.Namespace) -> int:
    if arguments.json:
        raise CommandError("setup speaks to people; for programs there is its exit status, and `ingestctl doctor`")
    try:
        return _run(arguments)
    except OSError as error:  # else it would count as the daemon's
        where = error.filename or arguments.config
        raise CommandError(f"{where}: {error.strerror or error}; run it by sudo, or as root") from None


def _run(arguments: argparse.Namespace) -> int:
    # Imported here, as ingestctl status has to be quick.
    from ingestd.config.change import ChangedConfig
    from ingestd.ctl import setup_files, setup_service
    from ingestd.ctl.devices import KINDS
    from ingestd.ctl.dialogue import Dialogue
    from ingestd.ctl.setup_backend import AUTH, ROOM, URL, GivenBackend, ask_backend
    from ingestd.ctl.setup_sound import ask_device
    from ingestd.errors import ConfigError

    path: Path = arguments.config.absolute()
    try:
        files = ChangedConfig(path, (URL, AUTH, ROOM, *_DEVICES))
    except ConfigError as error:
        raise CommandError("\n".join([*error.faults, "nothing was changed; mend that first"])) from None
    kept = setup_files.why_kept(files)
    missing = _missing(arguments, token_kept=kept is not None)
    if missing and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise CommandError(f"there is no terminal to ask at; give {', '.join(missing)} too")
    talk, tried = Dialogue(asking=bool(missing)), not arguments.no_try
    given = GivenBackend(arguments.backend, arguments.auth, _given_token(arguments), arguments.room)
    setup_files.check_writable(map(files.file_of, (URL, AUTH, ROOM, *_DEVICES)))
    present = setup_files.present_token(files)
    if kept is not None and given.token not in (None, present):
        whole = "\n".join(tied(line) if line.startswith(" ") else line for line in kept.splitlines())
        raise CommandError(f"{whole}\nnothing was changed")
    if kept is None and (present is None or given.token not in (None, present)):
        setup_files.check_writable([files.fixed.backend.token_file])
    socket: Path = arguments.socket_given or setup_service.socket_of(path, files.fixed.control.socket)
    if talk.asking:
        say(f"Sets up {path}.\nEnter keeps what stands in brackets; Ctrl-C ends it, and nothing is changed.\n")
    try:
        answers = ask_backend(talk, files, given, kept, tried=tried)
        if answers.token == present:
            answers.token = None
        for key, kind, device in zip(_DEVICES, KINDS, (arguments.capture, arguments.playback), strict=True):
            answers.values[key] = ask_device(talk, kind, files, device, socket, tried=tried)
        contents = files.contents(answers.values)
        files.config(contents, answers.values)
        if contents or answers.token is not None:
            setup_files.show(files, contents, answers)
            if not arguments.yes and not talk.confirm("Write it?", default=True):
                raise CommandError("not written")
    except ConfigError as error:
        raise CommandError("\n".join([*error.faults, "nothing was changed"])) from None
    except CommandError as error:
        raise CommandError(f"{str(error).removesuffix('.')}; nothing was changed") from None
    except KeyboardInterrupt:
        say("\nNothing was changed.")
        raise
    devices_changed = any(answers.values[key] != files.value(key) for key in _DEVICES)
    setup_files.write(files, contents, answers)
    setup_service.offer(talk, path, socket, devices_changed, agreed=tried if arguments.yes else None)
    return EXIT_OK


def _missing(arguments: argparse.Namespace, *, token_kept: bool) -> list[str]:
    """The options without which it has to ask; for a token that stays as it is there is none."""
    given = {
        "--backend": arguments.backend,
        "--token-file or --token-stdin": arguments.token_file or arguments.token_stdin or token_kept,
        "--room": arguments.room,
        "--capture": arguments.capture,
        "--playback": arguments.playback,
        "--yes": arguments.yes,
    }
    return [option for option, value in given.items() if value is None or value is False]


def _given_token(arguments: argparse.Namespace) -> Secret | None:
    from ingestd.config.secret import parse_token, read_token
    from ingestd.errors import ConfigError

    try:
        if arguments.token_stdin:
            return parse_token(sys.stdin.buffer.read(_MAX_TOKEN_BYTES + 1)[:_MAX_TOKEN_BYTES])
        return read_token(arguments.token_file) if arguments.token_file else None
    except ConfigError as error:
        raise CommandError(f"{error}; nothing was changed") from None


def _arguments(parser: argparse.ArgumentParser) -> None:
    shown = DEFAULT_CONFIG
    parser.add_argument("--config", type=Path, default=shown, metavar="FILE", help=f"what to write, default: {shown}")
    parser.add_argument("--backend", metavar="URL", help="where sessions are created")
    parser.add_argument("--auth", choices=("bearer", "raw"), help="how the token is sent")
    token = parser.add_mutually_exclusive_group()
    token.add_argument("--token-file", type=Path, metavar="PATH", help="a file with the token, which is copied")
    token.add_argument("--token-stdin", action="store_true", help="the token is on standard input")
    parser.add_argument("--room", metavar="ID", help="the room; - for none, where the backend knows it")
    parser.add_argument("--capture", metavar="DEVICE", help="the microphone, as `ingestctl devices` lists it")
    parser.add_argument("--playback", metavar="DEVICE", help="the speaker")
    parser.add_argument(
        "--no-try", action="store_true", help="ask no backend and open no device: for an image, made elsewhere"
    )
    yes = (
        "write without asking, and start, reload or restart the service (with --no-try: leave it alone); where there "
        "is no terminal, all but --auth is needed"
    )
    parser.add_argument("--yes", action="store_true", help=yes)


COMMANDS: Final = (
    Command(
        "setup",
        "set up this device: backend, token, room and sound devices",
        _setup,
        _arguments,
        "Asks for the backend, the token, the room, the microphone and the speaker, tries each, writes the "
        "configuration and the token, and starts the service; everything else in the file stays as it is, and the old "
        "file is kept as FILE.bak. With all options given it asks nothing. With --no-try it tries nothing, and only "
        "the rules of the configuration hold: for an image of many devices. A token that is a credential of systemd's "
        "stays as it is, and so does this device's own, /etc/ingestd/token, with another --config.",
    ),
)
