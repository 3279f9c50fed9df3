"""ingestctl setup, its second half: microphone and speaker, chosen from a list and tried."""

from __future__ import annotations

import contextlib
import functools
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ingestd.audio.alsa import AlsaSink
from ingestd.config.change import ChangedConfig, problem
from ingestd.core.level import FLOOR_DBFS
from ingestd.core.soundcheck import judged_level
from ingestd.core.tone import TONE_S, tone
from ingestd.ctl.command import CommandError, say
from ingestd.ctl.devices import Kind, explained, listed, meter_line, no_card, opened_levels, shown
from ingestd.ctl.dialogue import Dialogue
from ingestd.ctl.listening import Heard, daemon_status, ended_by_ctrl_c, is_held, levels_of_daemon
from ingestd.ctl.paint import one_line
from ingestd.errors import DeviceError

_LISTEN_S: Final = 3.0
_LISTEN_ALONE_S: Final = 1.0
"""Where nobody is there to speak."""
_LOOK_S: Final = 0.1
_COLD_START_S: Final = 3.0
_QUESTIONS: Final[dict[Kind, str]] = {"capture": "Microphone", "playback": "Speaker"}


def ask_device(
    talk: Dialogue, kind: Kind, files: ChangedConfig, given: str | None, socket: Path, *, tried: bool
) -> str:
    """A device's name for ALSA, that could be opened or that somebody insists on; any, unless it is to be `tried`."""
    key = f"audio.{kind}.device"
    present = files.value(key)
    while True:
        devices = listed(kind, present)
        if given is None and talk.asking:
            say("")
            say("\n".join([f"{_QUESTIONS[kind]}s:", *shown(devices, numbered=True)]))
            if kind == "capture" and not any(device["card"] for device in devices):
                say(f"  {no_card()}")
        question = f"{_QUESTIONS[kind]}, by number or by ALSA's name"
        names = [device["name"] for device in devices]
        answer = talk.ask(question, present, functools.partial(_problem, key, names), given)
        device = _named(answer, names)
        if not tried or (_try_microphone if kind == "capture" else _try_speaker)(talk, device, socket):
            return device
        given, present = None, device


def _named(text: str, names: list[str]) -> str:
    return names[int(text) - 1] if text.isdecimal() and 1 <= int(text) <= len(names) else text


def _problem(key: str, names: list[str], text: str) -> str | None:
    if text.isdecimal() and not 1 <= int(text) <= len(names):
        return f"is not in the list; give a number from 1 to {len(names)}, or a name like plughw:CARD=Mic,DEV=0"
    return problem(key, _named(text, names))


def _try_microphone(talk: Dialogue, device: str, socket: Path) -> bool:
    """Whether to take it: it was opened and heard, or somebody keeps it all the same."""
    seconds = _LISTEN_S if talk.asking else _LISTEN_ALONE_S
    try:
        if is_held(daemon_status(socket), "capture", device):
            say("The running ingestd has it open. Say something:")
            with contextlib.closing(levels_of_daemon(socket, _LOOK_S)) as levels:
                peak_dbfs = _listen(levels, seconds)
        else:
            with opened_levels(device, _LOOK_S) as opened:
                say("It opens. Say something:")
                peak_dbfs = _listen(opened, seconds)
    except (CommandError, OSError) as error:
        talk.complain(str(error))
        return talk.confirm("Keep it all the same?", default=False)
    verdict = judged_level("level", f"peak {peak_dbfs:.1f} dBFS", peak_dbfs, clipped=0)
    if verdict.remedy:
        say(f"  ! {one_line(verdict.what)}\n  ! {one_line(verdict.remedy)}")
        return talk.confirm("Keep it all the same?", default=False) if talk.asking else True
    return talk.confirm(f"  {one_line(verdict.what)}. Take this one?", default=True)


def _listen(levels: Iterable[Heard], seconds: float) -> float:
    """The highest peak of a few seconds, shown meanwhile."""
    live = sys.stdout.isatty()
    until_s = time.monotonic() + seconds
    highest_dbfs = FLOOR_DBFS
    for heard in levels:
        highest_dbfs = max(highest_dbfs, heard.peak_dbfs)
        if live:
            print(f"\r{meter_line(heard)}\x1b[K", end="", flush=True)
        if time.monotonic() >= until_s:
            break
    if live:
        print()
    return highest_dbfs


def _try_speaker(talk: Dialogue, device: str, socket: Path) -> bool:
    if is_held(daemon_status(socket), "playback", device):
        say("The running ingestd has it open.")
        return True
    sink = AlsaSink(device)
    try:
        with ended_by_ctrl_c():
            sink.open()
        say("It opens.")
        while talk.confirm("Play a test tone?", default=False):
            _play(sink)
            if talk.confirm("Did you hear it?", default=True):
                return True
            say("  ! Then it is another one, it is switched off, or too quiet: see `alsamixer`.")
            if not talk.confirm("Stay with this one?", default=False):
                return False
    except DeviceError as error:
        talk.complain(explained(error, "playback", device))
        return talk.confirm("Keep it all the same?", default=False)
    finally:
        sink.close()
    return True


def _play(sink: AlsaSink) -> None:
    """A tone of a second. Raises DeviceError, also where the device does not move."""
    pcm = tone()
    written = queued = 0
    until_s = time.monotonic() + TONE_S + _COLD_START_S
    while (queued or written < len(pcm)) and time.monotonic() < until_s:
        written += 2 * sink.write(pcm[written:]) if written < len(pcm) else 0
        time.sleep(0.02)
        queued = sink.queued()
    if queued or written < len(pcm):
        raise DeviceError("the device is open, but plays nothing; plug it in anew, or see its sound server")
