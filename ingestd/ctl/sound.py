"""ingestctl mute, unmute, gain: what becomes of the sound."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any, Final

from ingestd.ctl.command import EXIT_OK, EXIT_REFUSED, Command, connect, finite, say
from ingestd.ctl.words import microphone_is, unkept


def _mute(arguments: argparse.Namespace) -> int:
    with connect(arguments) as client:
        answer = client.call(arguments.name)
    if arguments.json:
        say(json.dumps(answer))
    return _kept(answer, microphone_is(answer["muted"]))


def _gain(arguments: argparse.Namespace) -> int:
    wanted = {"capture_db": arguments.capture, "playback_db": arguments.playback}
    with connect(arguments) as client:
        gains = client.call("gain", **{name: value for name, value in wanted.items() if value is not None})
    sides = ("capture_db", "playback_db")
    say(json.dumps(gains) if arguments.json else "\n".join(f"{name}: {gains[name]}" for name in sides))
    return _kept(gains, "the gain is set")


def _kept(answer: dict[str, Any], what: str) -> int:
    lost = unkept(answer, what)
    if lost is None:
        return EXIT_OK
    print(f"ingestctl: {lost}", file=sys.stderr)
    return EXIT_REFUSED


def _gain_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--capture", type=finite, metavar="DB", help="of the microphone, -60 to 30 dB")
    parser.add_argument("--playback", type=finite, metavar="DB", help="of the loudspeaker, -60 to 30 dB")


COMMANDS: Final = (
    Command("mute", "send silence until unmute, over restarts too", _mute),
    Command("unmute", "send the microphone again", _mute),
    Command("gain", "set the gain in software, over restarts too; show it", _gain, _gain_arguments),
)
