"""ingestctl call, hangup, reconnect, reload: what becomes of the call."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Final

from ingestd.ctl.command import EXIT_OK, Command, connect, say

_MAX_URL_CHARS: Final = 8192


def _call(arguments: argparse.Namespace) -> int:
    with connect(arguments) as client:
        if arguments.url_stdin:
            _told(arguments, client.call("call", wsUrl=sys.stdin.readline(_MAX_URL_CHARS).strip()))
        else:
            _told(arguments, client.call("call"))
    return EXIT_OK


def _plain(arguments: argparse.Namespace) -> int:
    with connect(arguments) as client:
        _told(arguments, client.call(arguments.name))
    return EXIT_OK


def _told(arguments: argparse.Namespace, result: str) -> None:
    say(json.dumps({"result": result}) if arguments.json else result)


def _call_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--url-stdin",
        action="store_true",
        help="by a session that was created elsewhere: its wsUrl, a secret, is read from standard input",
    )


COMMANDS: Final = (
    Command("call", "join the room, where session.start is demand or somebody hung up", _call, _call_arguments),
    Command("hangup", "leave the room, and stay out until a call", _plain),
    Command("reconnect", "take a fresh session, without a gap; end a wait", _plain),
    Command("reload", "read the configuration anew; one with a fault changes nothing", _plain),
)
