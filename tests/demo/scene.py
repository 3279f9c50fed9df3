"""The demo's one scene: a device and a person talk in a room, the network is cut for a while, the call comes back.

Everything is real but the service and the sound card's hardware: the daemon runs as its own process, over TLS, on
ALSA devices that a private PulseAudio provides.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingestd.control.client import ControlClient
from ingestd.control.protocol import RpcError
from tests.rig.process import end, spawn, wait_until
from tests.rig.proxy import FaultProxy
from tests.rig.sound import SoundRig
from tests.rig.speech import Span, conversation
from tests.rig.wav import Pcm
from tests.standin.client import StandIn

CUT_S = 3.0
TOPIC = "CHAT"
_REPO = Path(__file__).resolve().parents[2]
_TICK_S = 0.25


@dataclass
class Spoken:
    """What was said, and when its first sample was at the microphone or in the room (CLOCK_MONOTONIC)."""

    pcm: Pcm
    spans: list[Span]
    start_s: float = 0.0


@dataclass
class Evidence:
    """What the scene leaves to judge. Times are CLOCK_MONOTONIC seconds."""

    device_said: Spoken
    room_said: Spoken
    room_heard: Pcm = field(default_factory=lambda: np.zeros(0, np.int16))
    room_heard_start_s: float = 0.0
    speaker_heard: Pcm = field(default_factory=lambda: np.zeros(0, np.int16))
    speaker_heard_start_s: float = 0.0
    cut_start_s: float = 0.0
    cut_end_s: float = 0.0
    arrivals_s: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    downlink: list[tuple[float, int]] = field(default_factory=list)
    """(time, frames the daemon had received by then)."""
    messages_up: list[str] = field(default_factory=list)
    messages_down: list[str] = field(default_factory=list)
    sessions: int = 0
    exit_status: int | None = None
    status: dict[str, Any] = field(default_factory=dict)


@dataclass
class Moment:
    """What a spectator sees now."""

    elapsed_s: float
    seconds: float
    cut: bool
    status: dict[str, Any] | None
    room_level: float
    """RMS of the last quarter second that the room heard, 1.0 being full scale."""
    speaker_level: float


Watch = Callable[[Moment], None]
Say = Callable[[str], None]


def run(seconds: float, watch: Watch, say: Say) -> Evidence:
    """Plays the scene for about `seconds`; `watch` is called four times a second, `say` for what happens."""
    device_pcm, device_spans = conversation(seconds)
    room_pcm, room_spans = conversation(seconds, voice="en-us+f3", gap_s=0.9)
    evidence = Evidence(Spoken(device_pcm, device_spans), Spoken(room_pcm, room_spans))
    say("starting a virtual sound card, the room, and a cable to cut between device and room")
    with SoundRig() as rig, StandIn(tls=True, quiet="silence") as room, FaultProxy(room.port) as cable:
        # Both the backend and the connection go through the cable.
        base_url = f"https://127.0.0.1:{cable.port}"
        room.configure(public_base=f"wss://127.0.0.1:{cable.port}")
        alice = room.add("Alice")
        room.subscribe(alice, TOPIC)
        folder = rig.folder / "device"
        folder.mkdir()
        config = _write_config(folder, base_url, room)
        with (folder / "log").open("wb") as log:
            daemon = spawn([sys.executable, "-m", "ingestd", "--config", config], env=rig.env(), stderr=log, cwd=_REPO)
        try:
            _Play(evidence, room, alice, rig, cable, folder / "control.sock", daemon, watch, say).run(seconds)
            daemon.send_signal(signal.SIGTERM)
            evidence.exit_status = daemon.wait(10)
        except Exception:
            say((folder / "log").read_text()[-2000:])
            raise
        finally:
            end(daemon)
        heard = room.hear(alice)
        evidence.room_heard, evidence.room_heard_start_s = heard.samples, heard.first_s
        calls = room.calls()
        evidence.sessions = len(calls)
        evidence.arrivals_s = np.concatenate([room.received(call.call_id).times_s for call in calls])
        evidence.messages_up = [message.message for message in room.messages(alice)]
    return evidence


class _Play:
    """The running of it."""

    def __init__(
        self,
        evidence: Evidence,
        room: StandIn,
        alice: str,
        rig: SoundRig,
        cable: FaultProxy,
        socket: Path,
        daemon: subprocess.Popen[bytes],
        watch: Watch,
        say: Say,
    ) -> None:
        self._evidence = evidence
        self._room = room
        self._alice = alice
        self._rig = rig
        self._cable = cable
        self._socket = socket
        self._daemon = daemon
        self._watch = watch
        self._say = say
        self._heard_ticks = 0

    def run(self, seconds: float) -> None:
        """From the first frame to the last word."""
        evidence, room = self._evidence, self._room
        wait_until(self._joined, 20, "the device to join")
        self._say("the device is in the room, over TLS")
        with ControlClient(self._socket) as control, self._rig.speaker.record() as speaker:
            control.call("subscribe", topic=TOPIC)
            speaker.wait_for(0.2, 10)
            mouth = self._rig.mic.play(evidence.device_said.pcm)
            evidence.device_said.start_s = mouth.started
            evidence.room_said.start_s = room.say(self._alice, evidence.room_said.pcm.astype("<i2").tobytes())
            self._say("both are talking: speech goes into the microphone and comes out of the speaker")
            begin_s = time.monotonic()
            # Each thing to do, at its time.
            cut_s = max(5.0, seconds * 0.45)
            todo = [
                (1.0, self._greet),
                (cut_s, self._pull_cable),
                (cut_s + CUT_S, self._cable_is_back),
                (seconds - 2.0, self._greet),
            ]
            for tick in range(round((seconds + 1.0) / _TICK_S)):
                time.sleep(max(0.0, begin_s + tick * _TICK_S - time.monotonic()))
                now = time.monotonic()
                while todo and now - begin_s >= todo[0][0]:
                    todo.pop(0)[1]()
                self._check_daemon()
                self._look(now - begin_s, seconds, speaker.samples())
            evidence.status = self._status() or {}
            evidence.speaker_heard, evidence.speaker_heard_start_s = speaker.samples(), speaker.started
            evidence.messages_down = _messages(control)
            mouth.stop()

    def _joined(self) -> bool:
        self._check_daemon()
        return any(connection.joined_s is not None for connection in self._room.connections())

    def _check_daemon(self) -> None:
        if self._daemon.poll() is not None:
            raise RuntimeError(f"the daemon ended with status {self._daemon.returncode}")

    def _greet(self) -> None:
        text = f"hello from the device, {len(self._evidence.downlink)}"
        with ControlClient(self._socket) as control:
            control.call("publish", topic=TOPIC, data=text)
        self._say(f"the device publishes: {text}")
        answer = f"hello from Alice, {len(self._evidence.downlink)}"
        self._room.publish(self._alice, TOPIC, answer)
        self._say(f"Alice publishes: {answer}")

    def _pull_cable(self) -> None:
        self._cable.black_hole()
        self._evidence.cut_start_s = time.monotonic()
        self._evidence.cut_end_s = self._evidence.cut_start_s + CUT_S
        self._say(f"the network is cut for {CUT_S:g} s: nothing gets through, nothing is refused")

    def _cable_is_back(self) -> None:
        self._cable.restore()
        self._evidence.cut_end_s = time.monotonic()
        self._say("the network is back")

    def _look(self, elapsed_s: float, seconds: float, speaker: Pcm) -> None:
        evidence = self._evidence
        now = time.monotonic()
        status = self._status()
        if status is not None:
            evidence.downlink.append((time.monotonic(), status["downlink"]["frames"]))
        heard = self._room.hear(self._alice, self._heard_ticks).samples
        self._heard_ticks += len(heard) // 160
        cut = evidence.cut_start_s <= now < evidence.cut_end_s
        self._watch(Moment(elapsed_s, seconds, cut, status, _rms(heard[-2000:]), _rms(speaker[-2000:])))

    def _status(self) -> dict[str, Any] | None:
        try:
            with ControlClient(self._socket, timeout_s=1.0) as control:
                status: dict[str, Any] = control.call("status")
                return status
        except (OSError, RpcError):
            return None


def _messages(control: ControlClient) -> list[str]:
    texts: list[str] = []
    while True:
        try:
            news = control.notification(0.2)
        except TimeoutError:
            return texts
        if news["method"] == "message":
            texts.append(news["params"]["text"])


def _rms(samples: Pcm) -> float:
    return float(np.sqrt(np.mean((samples / 32768.0) ** 2))) if len(samples) else 0.0


def _write_config(folder: Path, base_url: str, room: StandIn) -> Path:
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text(room.token)
    path = folder / "ingestd.yaml"
    path.write_text(
        json.dumps(
            {
                "backend": {
                    "url": f"{base_url}/v2/ingest/sessions",
                    "token_file": str(token),
                    "ca_file": str(room.ca_file),
                },
                "session": {
                    "room_id": room.room,
                    "participant": {"name": "Device on ${hostname}", "metadata": {"deviceId": "demo"}},
                },
                "audio": {"capture": {"device": "mic"}, "playback": {"device": "speaker"}},
                "messaging": {"subscribe": [TOPIC]},
                "control": {"socket": str(folder / "control.sock")},
            }
        )
    )
    return path
