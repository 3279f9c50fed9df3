"""Hears a microphone for a level meter: by opening it, or by the daemon that has it open."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from ingestd.audio.ports import Source
from ingestd.audio.sound_devices import same_device
from ingestd.control.client import ControlClient
from ingestd.control.protocol import RpcError
from ingestd.core.level import Meter
from ingestd.ctl.command import CommandError
from ingestd.errors import UnfitDeviceError

_SILENT_S: Final = 3.0
"""Some servers of virtual devices need that long before their first samples."""
_READ_S: Final = 0.2


class Heard(NamedTuple):
    """What a meter shows."""

    level_dbfs: float
    """RMS over about 0.3 s."""
    peak_dbfs: float
    """Of the last second."""


def daemon_status(socket: Path) -> dict[str, Any] | None:
    """What the daemon says of itself; None where none answers."""
    try:
        with ControlClient(socket) as client:
            status: dict[str, Any] = client.call("status")
            return status
    except (OSError, RpcError):
        return None


def is_held(status: dict[str, Any] | None, kind: str, device: str) -> bool:
    """Whether the daemon has that device open; `kind` is capture or playback."""
    if status is None:
        return False
    held = status["devices"][kind]
    return not held["lost"] and held["device"] is not None and same_device(held["device"], device)


def levels_of_daemon(socket: Path, every_s: float) -> Generator[Heard, None, None]:
    """The daemon's own meter of its microphone, after its gain, until it goes (OSError) or loses it (CommandError)."""
    with ControlClient(socket) as client:
        while True:
            status = client.call("status")
            if status["devices"]["capture"]["lost"]:
                raise CommandError("the daemon has lost the microphone; `ingestctl status` says more")
            yield Heard(status["uplink"]["level_dbfs"], status["uplink"]["peak_dbfs"])
            time.sleep(every_s)


def levels_of(source: Source, every_s: float) -> Iterator[Heard]:
    """What an open microphone hears, each so many seconds. Raises DeviceError where it is lost."""
    meter = Meter()
    begun_s = last_s = time.monotonic()
    heard = False
    while True:
        block = source.read(_READ_S)
        now_s = time.monotonic()
        if block is not None:
            heard = True
            meter.add(block.pcm)
        elif not heard and now_s - begun_s > _SILENT_S:
            raise CommandError(f"the device is open, but gives nothing within {_SILENT_S:.0f} s; plug it in anew")
        if heard and now_s - last_s >= every_s:
            last_s = now_s
            yield Heard(meter.level_dbfs, meter.peak_dbfs)


@contextlib.contextmanager
def ended_by_ctrl_c() -> Iterator[None]:
    """Within it Ctrl-C ends the program even inside libasound, which a sound server may hang in. Main thread.

    Nothing is cleaned up then: for what only opens a device.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def said_once(error: Exception) -> str:
    """What a device's error says to somebody who tries it once."""
    return str(error).removesuffix(f"; it is tried again every {UnfitDeviceError.RETRY_S:.0f} s")
