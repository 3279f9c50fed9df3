"""ingestctl devices: the sound devices there are, by the names to put into the configuration, and a level meter."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

from ingestd.ctl.command import DEFAULT_CONFIG, EXIT_OK, EXIT_REFUSED, Command, CommandError, finite, say, say_json

_CONFIGURED: Final = ""
"""`--meter` without a device."""
_LIVE_S: Final = 0.1
_PLAIN_S: Final = 1.0
_TITLES: Final = {"capture": "Microphones, for audio.capture.device", "playback": "Speakers, for audio.playback.device"}

Kind = Literal["capture", "playback"]
KINDS: Final[tuple[Kind, ...]] = ("capture", "playback")


def _devices(arguments: argparse.Namespace) -> int:
    if arguments.meter is not None:
        return _meter(arguments)
    if arguments.seconds is not None:
        raise CommandError("--seconds is for --meter")
    configured, note = configured_devices(arguments.config)
    found_by_kind: dict[str, list[dict[str, Any]]] = {kind: listed(kind, configured.get(kind)) for kind in KINDS}
    if arguments.json:
        everything = {**found_by_kind, "config": str(arguments.config), "config_fault": note}
        say_json(everything, indent=2)
        return EXIT_OK
    for kind, found in found_by_kind.items():
        say("\n".join([_TITLES[kind], *shown(found), ""]))
    if not any(device["card"] for found in found_by_kind.values() for device in found):
        say(no_card() + "\n")
    say(f"* is what {arguments.config} names" if note is None else note)
    return EXIT_OK


def configured_devices(path: Path) -> tuple[dict[str, str], str | None]:
    """The device of each kind that the configuration names; nothing, and why, where it can't be read."""
    from ingestd.config import load_config
    from ingestd.errors import ConfigError

    try:
        audio = load_config(path).audio
    except ConfigError as error:
        return {}, f"which ones the configuration names is not known: {error.faults[0]}"
    return {"capture": audio.capture.device, "playback": audio.playback.device}, None


def listed(kind: Kind, configured: str | None) -> list[dict[str, Any]]:
    """As JSON has it. What the configuration names stands there too where nothing lists it."""
    from ingestd.audio.sound_devices import sound_devices

    found = sound_devices(kind)
    rows = [
        {
            "name": device.name,
            "description": device.description,
            "card": device.pcm.card_id if device.pcm else None,
            "in_use_by": [user._asdict() for user in device.users],
            "configured": configured is not None and device.is_called(configured),
        }
        for device in found
    ]
    if configured is not None and not any(device["configured"] for device in rows):
        said = "not in ALSA's lists: absent, or a device of your own ALSA configuration"
        rows.append({"name": configured, "description": said, "card": None, "in_use_by": [], "configured": True})
    return rows


def shown(devices: list[dict[str, Any]], numbered: bool = False) -> list[str]:
    """A line for each device: what the configuration names has a star; cards' and other people's texts made safe."""
    from ingestd.ctl.paint import one_line

    names = [one_line(device["name"], 60) for device in devices]
    width = max(map(len, names), default=0)
    lines = []
    for number, (name, device) in enumerate(zip(names, devices, strict=True), 1):
        used = ", ".join(f"{one_line(user['command'], 20)} (pid {user['pid']})" for user in device["in_use_by"])
        said = one_line(device["description"], 100) + (f"; in use by {used}" if used else "")
        mark = "*" if device["configured"] else " "
        lines.append(f"{f'{number:>3}' if numbered else ''} {mark} {name:{width}}  {said}".rstrip())
    return lines


def no_card(dev: Path = Path("/dev/snd")) -> str:
    """Why no card is in the list, and what to do."""
    if dev.exists() and not os.access(dev, os.R_OK | os.X_OK):
        return f"No sound card can be seen: this user may not read {dev}; use sudo, or join the group audio."
    return "No sound card is there: none is plugged in, or its driver is missing; see `lsusb` and `dmesg`."


def _meter(arguments: argparse.Namespace) -> int:
    from ingestd.ctl.listening import daemon_status, is_held, levels_of_daemon

    configured, note = configured_devices(arguments.config)
    device = arguments.meter or configured.get("capture")
    if device is None:
        raise CommandError(f"{note}; name a device: --meter DEVICE")
    every_s = _LIVE_S if sys.stdout.isatty() and not arguments.json else _PLAIN_S
    if is_held(daemon_status(arguments.socket), "capture", device):
        with contextlib.closing(levels_of_daemon(arguments.socket, every_s)) as levels:
            return _show(device, "daemon", levels, arguments)
    with opened_levels(device, every_s) as levels:
        return _show(device, "device", levels, arguments)


@contextlib.contextmanager
def opened_levels(device: str, every_s: float) -> Iterator[Iterator[Any]]:
    """`listening.levels_of` a device that is open meanwhile. Raises CommandError, with what to do."""
    from ingestd.audio.alsa import source_of
    from ingestd.ctl.listening import ended_by_ctrl_c, levels_of
    from ingestd.errors import DeviceError

    source = source_of(device)
    try:
        with ended_by_ctrl_c():
            source.open()
        yield levels_of(source, every_s)
    except DeviceError as error:
        raise CommandError(explained(error, "capture", device)) from None
    finally:
        source.close()


def explained(error: Exception, kind: Kind, device: str) -> str:
    """What a device's error says, and who has the device where that can be seen."""
    from ingestd.audio.proc_cards import users_of
    from ingestd.ctl.listening import said_once
    from ingestd.ctl.paint import one_line

    users = ", ".join(map(str, users_of(device, kind)))
    return one_line(said_once(error) + (f"; it is in use by {users}" if users else ""))


def _show(device: str, source: str, levels: Iterator[Any], arguments: argparse.Namespace) -> int:
    from ingestd.ctl.paint import one_line

    live = sys.stdout.isatty() and not arguments.json
    until_s = None if arguments.seconds is None else time.monotonic() + arguments.seconds
    if not arguments.json:
        by = "the daemon has it open: after its gain" if source == "daemon" else "8000 Hz, all channels mixed"
        say(f"{one_line(device, 60)} ({by}); Ctrl-C ends it")
    heard = None
    try:
        for heard in levels:
            if live:
                print(f"\r{meter_line(heard)}\x1b[K", end="", flush=True)
            elif arguments.json:
                say_json({"device": device, "source": source, **heard._asdict()})
            else:
                say(f"level {heard.level_dbfs:.1f} dBFS, peak {heard.peak_dbfs:.1f} dBFS")
            if until_s is not None and time.monotonic() >= until_s:
                return EXIT_OK
    finally:
        if live and heard is not None:
            print()
    return EXIT_REFUSED


def meter_line(heard: Any) -> str:
    """The meter in one line of this terminal."""
    from ingestd.ctl.meter import meter
    from ingestd.ctl.paint import is_unicode, wants_colour, written

    columns = shutil.get_terminal_size().columns - 1
    line = meter(heard.level_dbfs, heard.peak_dbfs, columns)
    return written(line, wants_colour(sys.stdout.isatty(), os.environ), is_unicode(sys.stdout.encoding))


def _arguments(parser: argparse.ArgumentParser) -> None:
    shown = DEFAULT_CONFIG
    parser.add_argument("--config", type=Path, default=shown, metavar="FILE", help=f"configuration, default: {shown}")
    parser.add_argument(
        "--meter",
        nargs="?",
        const=_CONFIGURED,
        metavar="DEVICE",
        help="show the level of a microphone until Ctrl-C; without DEVICE, of the one the configuration names",
    )
    parser.add_argument("--seconds", type=finite, metavar="N", help="end the meter after so long")


COMMANDS: Final = (
    Command(
        "devices",
        "list the sound devices and the names to configure; show a level",
        _devices,
        _arguments,
        "Lists microphones and speakers by the names to put into the configuration, and who has them open. "
        "With --meter, shows the level of one: a bar on a terminal, else a line a second.",
    ),
)
