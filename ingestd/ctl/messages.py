"""ingestctl publish, subscribe: the room's messages."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any, Final

from ingestd.control.client import ControlClient
from ingestd.control.protocol import RpcError
from ingestd.ctl.command import EXIT_OK, Command, CommandError, connect, finite, say, say_json
from ingestd.ctl.paint import is_unicode, one_line

_ANSWERED_WITHIN_S: Final = 40.0
"""A message may wait for the room for 30 s."""
_MOST_BYTES: Final = 65_536
"""Read from standard input: more than any message may have, so that the daemon tells what is too much."""
_RETRY_S: Final = 1.0


def _publish(arguments: argparse.Namespace) -> int:
    data: Any = _text(_standard_input() if arguments.data == "-" else arguments.data, "DATA")
    if arguments.json:
        try:
            data = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise CommandError(f"DATA is not JSON: {error}") from None
    wait = {} if arguments.wait is None else {"wait_s": arguments.wait}
    with ControlClient(arguments.socket, _ANSWERED_WITHIN_S) as client:
        client.call("publish", topic=_text(arguments.topic, "TOPIC"), data=data, **wait)
    return EXIT_OK


def _standard_input() -> str:
    data = sys.stdin.buffer.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise CommandError(f"standard input has more than {_MOST_BYTES} bytes, which no message may have")
    # The line's end that echo and most programs write is none of the message's.
    return data.decode("utf-8", "surrogateescape").removesuffix("\n")


def _text(text: str, name: str) -> str:
    try:
        text.encode("utf-8")  # bytes that are none are half surrogate pairs by now
    except UnicodeEncodeError:
        raise CommandError(f"{name} is not UTF-8") from None
    return text


def _subscribe(arguments: argparse.Namespace) -> int:
    as_json = arguments.json or not sys.stdout.isatty()
    client = _listening(arguments)
    while True:
        with client:
            try:
                while True:
                    news = client.notification(None)
                    if news["method"] == "message":
                        _show(news["params"], as_json)
            except ConnectionError as error:
                _note(f"{error}; waiting for it to come back, until interrupted")
        client = _listening_again(arguments)
        _note("ingestd is back; what was said meanwhile is missing")


def _listening(arguments: argparse.Namespace) -> ControlClient:
    """Subscribed to all topics. Raises OSError, RpcError."""
    topics = [_text(topic, "TOPIC") for topic in arguments.topics]
    client = connect(arguments)
    try:
        for topic in topics:
            client.call("subscribe", topic=topic)
    except BaseException:
        client.close()
        raise
    return client


def _listening_again(arguments: argparse.Namespace) -> ControlClient:
    while True:
        time.sleep(_RETRY_S)
        try:
            return _listening(arguments)
        except (OSError, RpcError):  # it was right before: whatever is wrong now is the daemon's, and passes
            continue


def _note(text: str) -> None:
    print(f"ingestctl: {text}", file=sys.stderr, flush=True)


def _show(message: dict[str, Any], as_json: bool) -> None:
    """One message in one line."""
    if as_json:
        say_json(message)
        return
    sender = message["sender_name"] or message["sender_id"] or "somebody"
    text = f"[{one_line(message['topic'])}] {one_line(sender)}: {one_line(message['text'])}"
    say(text if is_unicode(sys.stdout.encoding) else text.encode("ascii", "replace").decode("ascii"))


def _publish_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("topic", metavar="TOPIC")
    parser.add_argument(
        "data", metavar="DATA", help="text, or - for what comes on standard input; with --json, a JSON value"
    )
    parser.add_argument(
        "--wait",
        type=finite,
        metavar="S",
        help="how long to wait for the room where the device is out of it: 0 to 30 s",
    )


def _subscribe_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("topics", metavar="TOPIC", nargs="+")


COMMANDS: Final = (
    Command("publish", "publish a message to a topic of the room; done once it went out", _publish, _publish_arguments),
    Command(
        "subscribe",
        "print the messages of topics, one a line, until interrupted",
        _subscribe,
        _subscribe_arguments,
        description="Prints the messages of the room's topics, one a line, until interrupted: for people on a "
        "terminal, as JSON lines with --json or where the output goes elsewhere. It goes on over a restart of ingestd.",
    ),
)
