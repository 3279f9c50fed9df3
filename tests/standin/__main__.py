"""Run the stand-in as a process of its own: for people at a terminal, or for tests."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

from tests.standin import certificates
from tests.standin.console import Console, Files
from tests.standin.server import Address, Server
from tests.standin.settings import Settings, SettingsError
from tests.standin.world import API_KEY, World

_DESCRIPTION = """\
A VideoSDK room on this machine, to try a field device against: it answers
POST /v2/ingest/sessions, takes the device's WebSocket, and lets everyone in
a room hear the others, as the vendor's page says."""

_EPILOG = """\
Switches: --set NAME=VALUE for each, for example --set quiet=silence or
--set join_delay_s=2. tests/standin/settings.py lists them with their units.
Ctrl-C ends it."""


def main() -> int:
    """The command line."""
    arguments = _parser().parse_args()
    try:
        settings = Settings().changed_by_text(arguments.set).changed(json.loads(arguments.settings))
    except SettingsError as exc:
        print(f"room: {exc}", file=sys.stderr)
        return 2
    with contextlib.suppress(KeyboardInterrupt), tempfile.TemporaryDirectory(prefix="room-") as scratch:
        try:
            return asyncio.run(_run(arguments, settings, Path(scratch)))
        except OSError as exc:
            print(f"room: {exc}", file=sys.stderr)
            return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/room",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default %(default)s)")
    parser.add_argument("--port", type=int, default=8443, help="port to listen at; 0 takes a free one")
    parser.add_argument("--room", default="abcd-efgh-ijkl", help="room the printed configuration names")
    parser.add_argument("--tls", action="store_true", help="speak https and wss, with a CA made for this run")
    parser.add_argument("--tls-name", action="append", default=[], metavar="NAME",
                        help="further host name or address for the certificate; may be repeated")  # fmt: skip
    parser.add_argument("--tls-expired", action="store_true", help="use a certificate that expired an hour ago")
    parser.add_argument("--dir", type=Path,
                        help="where to write token, api-secret and ca.pem (default: a new directory)")  # fmt: skip
    parser.add_argument("--public-base", metavar="URL",
                        help="what wsUrl begins with if a proxy stands in front")  # fmt: skip
    parser.add_argument("--token", default="", help="accept this token too")
    parser.add_argument("--say", type=Path, metavar="WAV", help="let someone in the room say this, over and over")
    parser.add_argument("--record", type=Path, metavar="DIR", help="write what each device sends to a WAV there")
    parser.add_argument(
        "--report",
        type=float,
        default=5.0,
        metavar="SECONDS",
        help="time between two lines of frames per second (default %(default)s)",
    )
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change a switch")
    for_tests = parser.add_argument_group("for tests")
    for_tests.add_argument("--json", action="store_true", help="print one line of JSON when ready, and no log")
    for_tests.add_argument("--settings", default="{}", metavar="JSON", help="switches as a JSON object")
    for_tests.add_argument("--admin-host", default="127.0.0.1", help="address of the control API")
    for_tests.add_argument("--admin-port", type=int, default=0, help="port of the control API (default: a free one)")
    for_tests.add_argument("--until-eof", action="store_true", help="end when standard input does")
    return parser


async def _run(arguments: argparse.Namespace, settings: Settings, scratch: Path) -> int:
    changes = {"public_base": arguments.public_base, "fixed_token": arguments.token}
    settings = settings.changed({name: value for name, value in changes.items() if value})
    world = World(settings)
    directory = (arguments.dir or scratch).resolve()
    directory.mkdir(parents=True, exist_ok=True)
    tls, ca_file = None, None
    if arguments.tls or arguments.tls_expired:
        tls, ca_file = certificates.server_context(directory, arguments.tls_name, arguments.tls_expired)
    files = Files(
        _secret_file(directory / "token", world.mint_token()),
        _secret_file(directory / "api-secret", world.secret),
        ca_file,
    )
    server = Server(world, tls)
    over = _end_of_run(arguments.until_eof)
    console = Console(world, arguments.room, quiet=arguments.json, report_s=arguments.report)
    try:
        await server.start(Address(arguments.host, arguments.port), Address(arguments.admin_host, arguments.admin_port))
        if arguments.say:
            console.say(arguments.say)
        if arguments.record:
            console.record(arguments.record)
        if arguments.json:
            print(json.dumps(_ready_line(arguments, world, server, files)), flush=True)
        else:
            console.introduce(files)
        console.start()
        await over.wait()
    finally:
        console.stop()
        await server.stop()
    return 0


def _secret_file(path: Path, secret: str) -> Path:
    """A file with a secret that only its owner may read, as a device and a broker want it."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(secret)
    return path


def _ready_line(arguments: argparse.Namespace, world: World, server: Server, files: Files) -> dict[str, object]:
    return {
        "base_url": world.base_url,
        "port": server.port,
        "admin_url": f"http://{arguments.admin_host}:{server.admin_port}",
        "ca_file": str(files.ca) if files.ca else None,
        "token_file": str(files.token),
        "token": files.token.read_text(),
        "api_key": API_KEY,
        "api_secret": world.secret,
        "room": arguments.room,
        "pid": os.getpid(),
    }


def _end_of_run(until_eof: bool) -> asyncio.Event:
    """An event that is set by a signal, or by the end of standard input."""
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over.set)
    if until_eof:
        loop.add_reader(sys.stdin, _watch_stdin, loop, over)
    return over


def _watch_stdin(loop: asyncio.AbstractEventLoop, over: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        loop.remove_reader(sys.stdin)
        over.set()


if __name__ == "__main__":
    sys.exit(main())
