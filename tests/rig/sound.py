"""A virtual microphone and a virtual speaker behind the real ALSA API.

Each device is a private PulseAudio with one null sink that keeps real time; ALSA's `pulse` plugin opens it by
name. Nobody's audio is touched: sockets, state and settings are all in the rig's own folder. One PulseAudio
each, as with two sinks in one the streams of an unplugged sink would move to the other.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.rig.process import end, spawn, wait_until
from tests.rig.streams import Playback, Recording
from tests.rig.wav import RATE, Pcm, read_wav

_SINK = "card"
_LONGEST_SOCKET_PATH = 107


class VirtualCard:
    """One sound device: what is played into it can be captured from its other end.

    A microphone: the test plays and the subject captures. A speaker: the subject plays and the test records.
    """

    def __init__(self, name: str, folder: Path, rate: int = RATE, channels: int = 1) -> None:
        """Names a device of `rate` frames per second (hertz); nothing runs before `start`."""
        if len(str(folder / "socket")) > _LONGEST_SOCKET_PATH:
            # PulseAudio would cut it short without a word, and two cards might meet there.
            raise ValueError(f"the path is too long for a socket: {folder}")
        self.name = name
        self.rate = rate
        self.channels = channels
        self._folder = folder
        self._server: subprocess.Popen[bytes] | None = None
        self._module: str | None = None

    @property
    def address(self) -> str:
        """Where its PulseAudio listens, as clients name it."""
        return f"unix:{self._folder / 'socket'}"

    def environment(self) -> dict[str, str]:
        """What keeps PulseAudio's programs to this device and away from the user's settings."""
        homes = ("HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME")
        return {name: str(self._folder) for name in homes} | {
            "PULSE_SERVER": self.address,
            "PULSE_RUNTIME_PATH": str(self._folder),
            "PULSE_STATE_PATH": str(self._folder),
            "PULSE_CLIENTCONFIG": str(self._folder / "client.conf"),
        }

    def start(self) -> None:
        """Starts the device, plugged in and warm."""
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "client.conf").write_text(client_settings(self._folder))
        self._start_server()
        self.replug()

    def stop(self) -> None:
        """Ends it; no process is left."""
        if self._server is not None:
            end(self._server)
        self._server = self._module = None

    def _start_server(self) -> None:
        listen = f"module-native-protocol-unix auth-anonymous=1 socket={self._folder / 'socket'}"
        with (self._folder / "pulseaudio.log").open("ab") as log:
            options = ["--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes"]
            command = ["pulseaudio", *options, "--log-target=stderr", "-n", "-L", listen]
            self._server = spawn(command, env=self.environment(), stderr=log)
        try:
            wait_until(self._answers, timeout=30, what=f"the PulseAudio of {self.name}")
        except TimeoutError as error:
            self.stop()
            raise RuntimeError((self._folder / "pulseaudio.log").read_text()) from error

    def _answers(self) -> bool:
        return self._pactl("info", check=False).returncode == 0

    def _pactl(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["pactl", *words],
            env={**os.environ, **self.environment()},
            capture_output=True,
            text=True,
            timeout=30,
            check=check,
        )

    def freeze(self) -> None:
        """Its PulseAudio hangs from now on: it takes what fits in its socket, and answers nothing."""
        assert self._server is not None
        self._server.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        assert self._server is not None
        self._server.send_signal(signal.SIGCONT)

    def unplug(self, *, hard: bool = False) -> None:
        """Pulls the device out: streams on it fail. `hard` ends its whole PulseAudio."""
        if hard:
            self.stop()
        elif self._module is not None:
            self._pactl("unload-module", self._module)
            self._module = None

    def replug(self, *, warm: bool = True) -> None:
        """Plugs the device in again, under the same name."""
        if self._server is None:
            self._start_server()
        if self._module is None:
            sink = [f"sink_name={_SINK}", "norewinds=1", f"rate={self.rate}", f"channels={self.channels}"]
            self._module = self._pactl("load-module", "module-null-sink", *sink).stdout.strip()
        if warm:
            self.warm()

    def warm(self, timeout: float = 30.0) -> None:
        """Waits until sound comes out of its far end, as the first read of a cold device may take seconds."""
        with self.record() as recording:
            recording.wait_for(0.05, timeout)

    def play(self, sound: Pcm | Path | str, *, latency_ms: int = 200) -> Playback:
        """Plays samples or a WAV file of 8 kHz into it; returns as soon as the first sample is in.

        Samples are mono, or a row of all the card's channels each. `latency_ms` is how much is queued ahead, against
        a busy machine; it does not delay the start.
        """
        samples, rate = (sound, RATE) if not isinstance(sound, Path | str) else read_wav(sound)
        channels = 1 if samples.ndim == 1 else samples.shape[1]
        command = self._stream("pacat", _SINK, rate, latency_ms, channels)
        return Playback(command, self.environment(), samples, rate, self._folder)

    def record(self, *, latency_ms: int = 20) -> Recording:
        """Hears its far end, as 8 kHz mono: `with speaker.record() as heard: …; heard.samples()`."""
        command = self._stream("parec", f"{_SINK}.monitor", RATE, latency_ms)
        return Recording(command, self.environment(), RATE)

    def _stream(self, program: str, device: str, rate: int, latency_ms: int, channels: int = 1) -> list[str]:
        form = ["--raw", "--format=s16le", f"--channels={channels}", f"--rate={rate}", f"--latency-msec={latency_ms}"]
        return [program, "--server", self.address, "--device", device, *form]

    def alsa_definition(self, *, capture: bool) -> str:
        """ALSA's name for it, as the PCM to capture from or to play to, and its mixer."""
        device = f"{_SINK}.monitor" if capture else _SINK
        server = f'type pulse server "{self.address}"'
        return (
            f'pcm.!{self.name} {{ {server} device "{device}" }}\n'
            f'ctl.!{self.name} {{ {server} sink "{_SINK}" source "{_SINK}.monitor" }}\n'
        )


class SoundRig:
    """A device's sound cards, `mic` and `speaker`, and the ALSA settings that name them; `default` is both.

    The thread that enters it has to outlive it: the kernel ends the rig's processes with that thread.
    """

    def __init__(self, folder: Path | None = None, rate: int = RATE, channels: int = 1) -> None:
        """Takes a folder with a short path, as sockets stand in it; by default one of its own.

        `rate` (hertz) and `channels` are what both cards run at.
        """
        self._own_folder = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="ingestd-rig-"))
        self.mic = VirtualCard("mic", self.folder / "mic", rate, channels)
        self.speaker = VirtualCard("speaker", self.folder / "speaker", rate, channels)

    def __enter__(self) -> Self:
        try:
            for card in (self.mic, self.speaker):
                card.start()
            self._write_settings()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends both cards and removes the rig's own folder."""
        self.mic.stop()
        self.speaker.stop()
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _write_settings(self) -> None:
        (self.folder / "client.conf").write_text(client_settings(self.folder))
        (self.folder / "alsa.conf").write_text(
            "</usr/share/alsa/alsa.conf>\n"
            + self.mic.alsa_definition(capture=True)
            + self.speaker.alsa_definition(capture=False)
            + 'pcm.!default { type asym capture.pcm "mic" playback.pcm "speaker" }\n'
            + 'ctl.!default "speaker"\n'
        )

    def env(self) -> dict[str, str]:
        """What a process needs in its environment to open `mic` and `speaker`."""
        return {
            "ALSA_CONFIG_PATH": str(self.folder / "alsa.conf"),
            "PULSE_CLIENTCONFIG": str(self.folder / "client.conf"),
        }


def client_settings(folder: Path) -> str:
    """PulseAudio client settings that start no server, share no memory and leave the user's cookie alone."""
    return f"autospawn = no\nenable-shm = no\nenable-memfd = no\ncookie-file = {folder / 'cookie'}\n"
