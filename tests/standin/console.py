"""What people see of a room at a terminal: how to point a device at it, and what happens in it."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import re
import wave
from dataclasses import dataclass
from pathlib import Path

from tests.standin.calls import Call
from tests.standin.people import LocalParticipant
from tests.standin.wav import open_recording, read_pcm
from tests.standin.world import API_KEY, World


@dataclass(frozen=True)
class Files:
    """What a device or a broker needs files for."""

    token: Path
    api_secret: Path
    """For a broker, which makes tokens of its own."""
    ca: Path | None
    """The CA to trust (PEM), with tls."""


class Console:
    """The live log, a voice in the room, and recordings."""

    def __init__(self, world: World, room_id: str, *, quiet: bool, report_s: float) -> None:
        self._world = world
        self._room_id = room_id
        self._quiet = quiet
        self._report_s = report_s
        self._timer: asyncio.TimerHandle | None = None
        self._seen: dict[int, tuple[int, int]] = {}
        self._recordings: dict[int, wave.Wave_write] = {}
        self._directory: Path | None = None

    def introduce(self, files: Files) -> None:
        """Say how to point a device at this room, or a broker that devices are to ask."""
        url = self._world.base_url
        print(f"A room is open at {url}. In the device's configuration:\n")
        print("backend:")
        print(f"  url: {url}/v2/ingest/sessions")
        print(f"  token_file: {files.token}")
        if files.ca is not None:
            print(f"  ca_file: {files.ca}")
        print("session:")
        print(f"  room_id: {self._room_id}")
        print(f"\nThe token itself: {files.token.read_text()}\n")
        print("Or with a broker between, in its broker.yaml:\n")
        print("videosdk:")
        print(f"  url: {url}")
        print(f"  api_key: {API_KEY}")
        print(f"  api_secret_file: {files.api_secret}")
        if files.ca is not None:
            print(f"  ca_file: {files.ca}")
        print(f"\nThe API secret itself: {files.api_secret.read_text()}")
        print("Ctrl-C closes the room.\n", flush=True)

    def start(self) -> None:
        """Begin the live log."""
        if self._quiet:
            return
        self._world.on_log = self._print
        self._report_later()

    def stop(self) -> None:
        """End the log and finish the recordings."""
        self._world.on_log = lambda _line: None
        if self._timer is not None:
            self._timer.cancel()
        for recording in self._recordings.values():
            with contextlib.suppress(OSError):
                recording.close()

    def say(self, path: Path) -> None:
        """Let someone in the room say a WAV over and over; raises OSError for a file that can't be used."""
        try:
            pcm = read_pcm(path)
        except (wave.Error, EOFError) as exc:
            raise OSError(f"{path} is no WAV that can be played: {exc}") from None
        if not pcm:
            raise OSError(f"{path} holds no audio")
        person = LocalParticipant("announcer", "Announcer", {}, publishing=True, recorded_s=0)
        self._world.room(self._room_id).join(person, self._world.settings)
        person.say(pcm, self._world.ticker.ticks + 1, loop=True)

    def record(self, directory: Path) -> None:
        """Write what each device sends to a WAV in `directory`."""
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._world.on_media = self._write

    def _write(self, call: Call, pcm: bytes) -> None:
        recording = self._recordings.get(call.info.index)
        if recording is None and self._directory is not None:
            name = re.sub(r"[^\w.-]+", "_", call.info.participant_name)[:60]
            path = self._directory / f"{call.info.index:03d}-{name}.wav"
            recording = self._recordings[call.info.index] = open_recording(path)
            self._print(f"{call.info.participant_name}: recording to {path}")
        if recording is not None:
            recording.writeframes(pcm)

    def _report_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._report_s, self._report)

    def _report(self) -> None:
        """One line for each device that is in the room."""
        for connection in self._world.open.values():
            call = connection.call
            if call is None:
                continue
            index, now = call.info.index, (call.received.frames, call.sent.frames)
            before = self._seen.get(index, (0, 0))
            self._seen[index] = now
            in_s, out_s = ((a - b) / self._report_s for a, b in zip(now, before, strict=True))
            self._print(f"{call.info.participant_name}: {in_s:.1f} frames/s in, {out_s:.1f} out")
        for index in [i for i in self._recordings if not self._world.calls.calls[i].open]:
            self._recordings.pop(index).close()
        self._report_later()

    def _print(self, line: str) -> None:
        now = datetime.datetime.now().strftime("%H:%M:%S")
        printable = line.encode("utf-8", "replace").decode()
        print(f"{now}  {printable!s}", flush=True)
