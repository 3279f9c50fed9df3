"""The contenders, each started as a process of its own in a room of its own, and ended again."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import uuid
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from ingestd.control.client import ControlClient
from tests.bench.installed import PROGRAM, REPO, environment
from tests.bench.peers.usage import Thread
from tests.rig.memory_device import device_config
from tests.rig.process import end, spawn
from tests.rig.sound import SoundRig
from tests.rig.wav import RATE, Pcm
from tests.standin.client import StandIn
from tests.standin.jitter import FRAME_BYTES

HERE = Path(__file__).parent
NODE_MODULES = Path("/usr/share/nodejs")

PLAIN: Final = ("floor", "node", "asyncio", "threads", "ours", "ours_alsa")
TLS: Final = tuple(name for name in PLAIN if name != "floor")
LONG: Final = ("floor", "node", "threads", "ours")
"""Those that are measured at length, too."""
BY_EAR: Final = ("ours_alsa",)
"""What they send is what a microphone heard of the audio."""
TITLES: Final = {
    "floor": "floor (C)",
    "node": "Node.js, ws",
    "asyncio": "asyncio, websockets",
    "threads": "threads, websocket-client",
    "ours": "ingestd",
    "ours_alsa": "ingestd on ALSA",
}

_PLUGIN_THREAD = "threaded-ml"
"""What libpulse calls the threads that ALSA's pulse plugin runs in whoever opens it."""
_END_S = 10.0
_PLAYED_AHEAD_S = 15.0
"""What the microphone hears is played for so much longer than is measured: joining and leaving take time."""


@dataclass
class Scene:
    """What every contender of a run shares."""

    room: StandIn
    audio: Pcm
    """What each sends over and over: whole frames, no two of them alike."""
    folder: Path
    floor: Path
    """The compiled program."""

    @property
    def pcm(self) -> bytes:
        """The audio as it goes over the wire."""
        return self.audio.astype("<i2").tobytes()

    @property
    def frames(self) -> int:
        """How many frames of 20 ms it has."""
        return len(self.pcm) // FRAME_BYTES

    @property
    def audio_path(self) -> Path:
        """A file with it."""
        path = self.folder / "audio.pcm"
        if not path.exists():
            path.write_bytes(self.pcm)
        return path


@dataclass
class Running:
    """A contender in its room."""

    process: subprocess.Popen[bytes]
    call_id: str
    heard: Callable[[], int]
    """How many media frames it heard, to be asked once; ends it where it tells no sooner."""
    is_own: Callable[[Thread], bool] = lambda _: True
    """Whether a thread is the contender's and not the sound system's."""
    reads_s: array[float] = field(default_factory=lambda: array("d"))
    """When each frame was read from the microphone (CLOCK_REALTIME), known once it has ended; ours alone."""


def ready() -> None:
    """Says what is missing, by ending the program."""
    if os.geteuid() != 0:
        raise SystemExit("bench: root is needed to see the kernel's stamps (a packet socket)")
    if not (NODE_MODULES / "ws").is_dir():
        raise SystemExit("bench: Node.js and npm's ws are needed: apt-get install nodejs node-ws")


def build_floor(folder: Path) -> Path:
    """The floor, compiled; needs gcc."""
    program = folder / "floor"
    subprocess.run(["gcc", "-O2", "-Wall", "-pthread", "-o", program, HERE / "floor.c"], check=True)
    return program


@contextlib.contextmanager
def running(name: str, scene: Scene, seconds: float) -> Iterator[Running]:
    """The contender of that name, having joined a room in which somebody speaks; it is to stay for `seconds`."""
    room_id = f"{name}-{uuid.uuid4()}"
    joined = sum(info.joined_s is not None for info in scene.room.connections())
    speaker = scene.room.add("Ann", room=room_id)
    scene.room.say(speaker, scene.pcm, loop=True)
    start = _ours if name == "ours" else _ours_on_alsa if name == "ours_alsa" else _peer
    with (
        tempfile.TemporaryDirectory(dir=scene.folder) as folder,
        start(name, scene, room_id, Path(folder), seconds) as it,
    ):
        scene.room.wait_joined(joined + 1)
        it.call_id = it.call_id or next(call.call_id for call in scene.room.calls() if call.room_id == room_id)
        yield it
    scene.room.remove(speaker)


# --- the peers


@contextlib.contextmanager
def _peer(name: str, scene: Scene, room_id: str, folder: Path, seconds: float) -> Iterator[Running]:
    session = scene.room.create_session(room=room_id, name=name)
    process = spawn(
        _command(name, scene, session.ws_url),
        env=_trusting(scene.room.ca_file),
        stdout=subprocess.PIPE,
        cwd=REPO,
    )
    try:
        yield Running(process, session.call_id, lambda: _last_words(name, process))
    finally:
        end(process)


def _command(name: str, scene: Scene, url: str) -> Sequence[str | Path]:
    if name == "floor":
        parts = urlsplit(url)
        return [scene.floor, str(parts.port), f"{parts.path}?{parts.query}", scene.audio_path]
    if name == "node":
        return ["node", HERE / "node.js", url, scene.audio_path]
    return [sys.executable, HERE / f"{name}_client.py", url, scene.audio_path]


def _trusting(ca_file: Path | None) -> dict[str, str]:
    """Where each library looks for the authority to trust: no client's code knows of the bench's."""
    names = ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "WEBSOCKET_CLIENT_CA_BUNDLE") if ca_file else ()
    return {"NODE_PATH": str(NODE_MODULES), **{name: str(ca_file) for name in names}}


def _last_words(name: str, process: subprocess.Popen[bytes]) -> int:
    process.terminate()
    out, _ = process.communicate(timeout=_END_S)
    word, _, count = out.decode().strip().partition(" ")
    if process.returncode or word != "heard":
        raise RuntimeError(f"{name} ended with {process.returncode}: {out.decode()!r}")
    return int(count)


# --- the daemon


@contextlib.contextmanager
def _ours(name: str, scene: Scene, room_id: str, folder: Path, seconds: float) -> Iterator[Running]:
    stamps = folder / "stamps"
    program: Sequence[str | Path] = [sys.executable, HERE / "looped_device.py", scene.audio_path, stamps]
    with _daemon(program, scene, room_id, folder, {}) as it:
        yield it
        end(it.process, _END_S)
        it.reads_s.frombytes(stamps.read_bytes())


@contextlib.contextmanager
def _ours_on_alsa(name: str, scene: Scene, room_id: str, folder: Path, seconds: float) -> Iterator[Running]:
    with SoundRig() as rig, contextlib.ExitStack() as stack:
        needed = round((seconds + _PLAYED_AHEAD_S) * RATE)
        playback = rig.mic.play(scene.audio.take(range(needed), mode="wrap"))
        stack.callback(playback.stop)
        it = stack.enter_context(_daemon([PROGRAM], scene, room_id, folder, rig.env()))
        it.is_own = lambda thread: thread.name != _PLUGIN_THREAD
        yield it


@contextlib.contextmanager
def _daemon(
    program: Sequence[str | Path], scene: Scene, room_id: str, folder: Path, sound: dict[str, str]
) -> Iterator[Running]:
    socket = folder / "control.sock"
    config = device_config(scene.room.base_url, scene.room.token, scene.room.ca_file, folder, room_id=room_id)
    config["control"] = {"socket": str(socket)}
    config["log"] = {"level": "info"}
    if sound:
        config["audio"] = {"capture": {"device": "mic"}, "playback": {"device": "speaker"}}
    path = folder / "ingestd.yaml"
    path.write_text(json.dumps(config))
    state = folder / "state"
    state.mkdir()
    with (folder / "log").open("wb") as log:
        process = spawn(
            [*program, "--config", path],
            env={**environment(), **sound, "STATE_DIRECTORY": str(state)},
            stderr=log,
            cwd=REPO,
        )
    try:
        yield Running(process, "", lambda: _frames_heard(socket))
        if end(process, _END_S) != 0:
            raise RuntimeError((folder / "log").read_text())
    finally:
        end(process)


def _frames_heard(socket: Path) -> int:
    with ControlClient(socket) as client:
        return int(client.call("status")["downlink"]["frames"])
