"""ingestctl status: what the daemon does now, for people and as JSON."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from datetime import datetime
from typing import Final

from ingestd.ctl.command import EXIT_OK, Command, connect, say, say_json
from ingestd.ctl.paint import is_unicode, wants_colour, written
from ingestd.ctl.reading import Reading
from ingestd.ctl.status_view import view
from ingestd.ctl.words import is_as_wanted, is_well

EXIT_NOT_IN_THE_ROOM: Final = 4
"""A call is wanted, and the device is not in the room."""
EXIT_NOT_WELL: Final = 5
"""The device is where it should be, but something is not well."""


def _status(arguments: argparse.Namespace) -> int:
    with connect(arguments) as client:
        status = client.call("status")
    if arguments.json:
        say_json(status, indent=2)
        return EXIT_OK
    unicode = is_unicode(sys.stdout.encoding)
    terminal = sys.stdout.isatty()
    columns = shutil.get_terminal_size().columns if terminal else None
    colour = wants_colour(terminal, os.environ)
    for line in view(status, datetime.now().astimezone(), columns):
        say(written(line, colour, unicode))
    reading = Reading(status)
    if not is_as_wanted(reading):
        return EXIT_NOT_IN_THE_ROOM
    return EXIT_OK if is_well(reading) else EXIT_NOT_WELL


COMMANDS: Final = (
    Command(
        "status",
        "show at a glance: in the room or not, faults and what helps, audio, devices",
        _status,
        description="Shows whether the device is in the room, what is wrong and what helps, and how the audio does. "
        f"Exit status: 0 in the room, or out of it because no call is wanted now; {EXIT_NOT_IN_THE_ROOM} a call is "
        f"wanted, and the device is not in the room; {EXIT_NOT_WELL} as 0, but something is not well: a sound device "
        "is lost, a fault lasts, or the configuration is the last good one; 3 no ingestd answers. With --json it is 0 "
        "whenever ingestd answers: what it says is in the JSON.",
    ),
)
