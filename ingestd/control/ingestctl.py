"""ingestctl: asks a running ingestd, over its control socket."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from ingestd import __version__
from ingestd.control.client import ControlClient
from ingestd.control.protocol import RpcError

DEFAULT_SOCKET: Final = Path("/run/ingestd/control.sock")
EXIT_REFUSED: Final = 1
EXIT_UNREACHABLE: Final = 3
EXIT_PIPE: Final = 141  # as a shell shows SIGPIPE
_MAX_URL_CHARS: Final = 8192


def main(argv: Sequence[str] | None = None) -> int:
    """The command. Exit 0; 1 where the daemon refused; 3 where it can't be reached."""
    arguments = _parser().parse_args(argv)
    try:
        with ControlClient(arguments.socket) as client:
            return _run(client, arguments)
    except RpcError as error:
        print(f"ingestctl: {error}", file=sys.stderr)
        return EXIT_REFUSED
    except _OutputGoneError:
        return EXIT_PIPE
    except OSError as error:
        reason = error.strerror or str(error)
        print(
            f"ingestctl: no answer on {arguments.socket}: {reason}; is ingestd running (systemctl status ingestd), "
            "and are you root or in the group ingestd?",
            file=sys.stderr,
        )
        return EXIT_UNREACHABLE
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ingestctl", description="Asks the ingestd that runs on this device.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument("--socket", type=Path, default=DEFAULT_SOCKET, help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print JSON")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("status", help="show state, audio and faults")
    publish = commands.add_parser("publish", help="publish a message to a topic of the room")
    publish.add_argument("topic")
    publish.add_argument("data", help="text; with --json, a JSON value")
    subscribe = commands.add_parser("subscribe", help="print the messages of a topic, one a line, until interrupted")
    subscribe.add_argument("topic")
    call = commands.add_parser("call", help="join the room, where session.start is demand or somebody hung up")
    call.add_argument(
        "--url-stdin",
        action="store_true",
        help="by a session that was created elsewhere: its wsUrl, a secret, is read from standard input",
    )
    commands.add_parser("hangup", help="leave the room, and stay out until a call")
    commands.add_parser("reconnect", help="take a fresh session, without a gap; end a wait")
    commands.add_parser("reload", help="read the configuration anew; one with a fault changes nothing")
    commands.add_parser("mute", help="send silence until unmute")
    commands.add_parser("unmute", help="send the microphone again")
    gain = commands.add_parser("gain", help="set the gain in software, until the daemon ends; show it")
    gain.add_argument("--capture", type=float, metavar="DB", help="of the microphone, -60 to 30 dB")
    gain.add_argument("--playback", type=float, metavar="DB", help="of the loudspeaker, -60 to 30 dB")
    return parser


def _run(client: ControlClient, arguments: argparse.Namespace) -> int:
    match arguments.command:
        case "status":
            status = client.call("status")
            _say(json.dumps(status, indent=2, ensure_ascii=False) if arguments.json else _readable(status))
        case "publish":
            data: Any = arguments.data
            if arguments.json:
                try:
                    data = json.loads(data)
                except (ValueError, RecursionError) as error:
                    raise RpcError(EXIT_REFUSED, f"DATA is not JSON: {error}") from None
            client.call("publish", topic=arguments.topic, data=data)
        case "call" if arguments.url_stdin:
            _say(client.call("call", wsUrl=sys.stdin.readline(_MAX_URL_CHARS).strip()))
        case "call" | "hangup" | "reconnect" | "reload":
            _say(client.call(arguments.command))
        case "mute" | "unmute":
            client.call(arguments.command)
        case "gain":
            wanted = {"capture_db": arguments.capture, "playback_db": arguments.playback}
            gains = client.call("gain", **{name: value for name, value in wanted.items() if value is not None})
            _say(json.dumps(gains) if arguments.json else _readable(gains))
        case "subscribe":
            client.call("subscribe", topic=arguments.topic)
            while True:
                news = client.notification(None)
                if news["method"] == "message":
                    _say(_message(news["params"], arguments.json))
    return 0


def _message(message: dict[str, Any], as_json: bool) -> str:
    if as_json:
        return json.dumps(message, ensure_ascii=False)
    sender = message["sender_name"] or message["sender_id"] or "somebody"
    return f"[{message['topic']}] {sender}: {message['text']}"


def _readable(value: dict[str, Any], indent: str = "") -> str:
    lines = []
    for key, item in value.items():
        if item is None or item in ({}, []):
            lines.append(f"{indent}{key}: -")
        elif isinstance(item, dict):
            lines += [f"{indent}{key}:", _readable(item, indent + "  ")]
        elif isinstance(item, list):
            lines += [f"{indent}{key}:", *(f"{indent}  {_fault(one) if key == 'faults' else one}" for one in item)]
        else:
            lines.append(f"{indent}{key}: {item}")
    return "\n".join(lines)


def _fault(fault: dict[str, Any]) -> str:
    often = "once" if fault["count"] == 1 else f"{fault['count']} times"
    parts = (" ".join(str(fault.get(part, "")).split()) for part in ("what", "meaning", "remedy"))  # a server's words
    said = "\n      ".join(part for part in parts if part)
    return f"{fault['last']}, {often}{', over' if fault['over'] else ''}: {said}"


class _OutputGoneError(Exception):
    """Whoever read our output has gone (`| head`), which is no fault."""


def _say(text: str) -> None:
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would complain at exit
        raise _OutputGoneError from None



if __name__ == "__main__":
    sys.exit(main())
