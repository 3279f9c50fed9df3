"""ingestctl doctor: what is wrong with this device, and what to do."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ingestd.ctl.command import DEFAULT_CONFIG, EXIT_OK, EXIT_REFUSED, Command, CommandError, say

if TYPE_CHECKING:
    from ingestd.core.check import Check
    from ingestd.doctor.situation import Situation


def _doctor(arguments: argparse.Namespace) -> int:
    # Imported here: it costs what the other commands need not pay.
    from ingestd.doctor import report
    from ingestd.doctor.run import all_checks
    from ingestd.doctor.situation import Wishes, look

    bundle: Path | None = arguments.bundle
    if bundle is not None:
        _see_to(bundle)
    wishes = Wishes(session=not arguments.no_session, tone=arguments.tone, call=arguments.call)
    situation = look(arguments.config, arguments.socket_given, wishes)
    if not arguments.json and not arguments.tone and not situation.daemon_may_run and situation.config is not None:
        situation = replace(situation, wishes=replace(wishes, tone=_wants_tone()))
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    encoding = sys.stdout.encoding or "ascii"
    found: list[Check] = []
    for check in all_checks(situation):
        found.append(check)
        if not arguments.json:
            say(report.lines(check, colour=colour, encoding=encoding))
    if arguments.json:
        say(json.dumps(report.as_json(found), indent=2))
    else:
        say(report.summary(found, encoding=encoding))
    if bundle is not None:
        _bundle(bundle, situation, found, quiet=arguments.json)
    return EXIT_OK if report.is_well(found) else EXIT_REFUSED


def _see_to(bundle: Path) -> None:
    """Whether it can be written is asked first: the checks take a while."""
    folder = bundle.parent
    if os.path.lexists(bundle):
        raise CommandError(f"{bundle} is there already; remove it, or give another name")
    if not folder.is_dir():
        raise CommandError(f"can't write {bundle}: there is no folder {folder}; make it, or give another name")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CommandError(f"can't write {bundle}: this user may not write in {folder}; give another place")


def _wants_tone() -> bool:
    """Asked before anything else, so that nobody has to wait for the question."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    try:
        answer = input("Play a tone on the speaker? [y/N] ")
    except EOFError:
        return False
    return answer.strip().lower() in ("y", "yes")


def _bundle(path: Path, situation: Situation, found: list[Check], *, quiet: bool) -> None:
    from ingestd.doctor.bundle import write_bundle

    try:
        write_bundle(path, situation, found)
    except OSError as error:
        raise CommandError(f"can't write {path}: {error.strerror or error}") from None
    if not quiet:
        say(f"{path}: for support; known secrets are taken out; look through it before you send it")


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", type=Path, default=DEFAULT_CONFIG, metavar="FILE", help="configuration, default: %(default)s"
    )
    parser.add_argument("--no-session", action="store_true", help="do not ask the backend for a session")
    parser.add_argument("--tone", action="store_true", help="play a tone on the speaker, where the daemon is stopped")
    parser.add_argument(
        "--call", action="store_true", help="join the room for ten seconds at most, where the daemon is stopped"
    )
    parser.add_argument(
        "--bundle",
        type=Path,
        metavar="FILE",
        help="write a .tar.gz for support; known secrets are taken out; look through it before you send it",
    )


COMMANDS: Final = (
    Command(
        "doctor",
        "look for what is wrong, and say what to do",
        _doctor,
        _arguments,
        "Looks at configuration, token, clock, network, backend, sound devices and service, one line each, with what "
        "to do. It works whether the daemon runs or not, and disturbs no call: where systemd says that it runs and "
        "it does not answer, devices and room are left alone. Where the daemon is not in the room the "
        "backend is asked for a session, which nobody claims and which ends by itself after 90 s. Exit status: 0 where "
        "nothing failed (warnings are allowed), 1 where something did.",
    ),
)
