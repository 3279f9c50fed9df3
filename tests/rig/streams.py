"""Sound going into and coming out of a virtual card, with the time at which it did."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import numpy as np

from tests.rig.process import end, spawn, wait_until
from tests.rig.wav import Pcm

_TOLD_LATE_S = 0.020
"""By how much PulseAudio's "Stream started" trails the first sample at the far end: 20.0 ± 0.2 ms."""


class Playback:
    """A sound that is being played."""

    def __init__(
        self, command: Sequence[str], env: Mapping[str, str], samples: Pcm, rate: int, folder: Path
    ) -> None:
        """Starts it, and returns once the first sample is in the card."""
        self.seconds = len(samples) / rate
        self._started: float | None = None
        with tempfile.TemporaryFile(dir=folder) as raw:
            raw.write(samples.astype("<i2").tobytes())
            raw.seek(0)
            self._process = spawn([*command, "--verbose"], env=env, stdin=raw, stderr=subprocess.PIPE)
        assert self._process.stderr is not None
        self._said = bytearray()
        self._listener = threading.Thread(target=self._listen, args=(self._process.stderr,), name="playback")
        self._listener.start()
        try:
            wait_until(lambda: self._started or self._process.poll() is not None, 15, "the sound to start")
            if self._started is None:
                raise RuntimeError(self._said.decode(errors="replace"))
        except BaseException:
            self.stop()
            raise

    def _listen(self, said: IO[bytes]) -> None:
        # Read to its end: the player would block on a full pipe.
        while chunk := os.read(said.fileno(), 4096):
            now = time.monotonic()
            if self._started is None:
                self._said += chunk
                if b"Stream started" in self._said:
                    self._started = now - _TOLD_LATE_S

    @property
    def started(self) -> float:
        """When the first sample was at the card's far end (`time.monotonic()`), to a millisecond or so."""
        assert self._started is not None
        return self._started

    @property
    def ends(self) -> float:
        """When the last sample is there (`time.monotonic()`)."""
        return self.started + self.seconds

    def wait(self, timeout: float | None = None) -> None:
        """Waits for the end of the sound."""
        self._process.wait(self.seconds + 10 if timeout is None else timeout)
        self.stop()

    def stop(self) -> None:
        """Breaks it off."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait()
        self._listener.join()
        end(self._process)


class Recording:
    """What is heard between entering and leaving; a thread of its own collects it."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], rate: int) -> None:
        """Prepares it; entering starts it."""
        self.rate = rate
        self._command = command
        self._env = env
        self._lock = threading.Lock()
        self._heard = bytearray()
        self._earliest = float("inf")

    def __enter__(self) -> Self:
        self._process = spawn(self._command, env=self._env, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        pipe = self._process.stdout
        self._collector = threading.Thread(target=self._collect, args=(pipe,), name="recording")
        self._collector.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.terminate()
        self._collector.join()
        end(self._process)

    def _collect(self, pipe: IO[bytes]) -> None:
        while chunk := os.read(pipe.fileno(), 1 << 16):
            now = time.monotonic()
            with self._lock:
                self._heard += chunk
                # Chunks come late, never early: the earliest one tells the phase.
                self._earliest = min(self._earliest, now - len(self._heard) // 2 / self.rate)

    def wait_for(self, seconds: float, timeout: float) -> None:
        """Waits until that much has been heard."""
        enough = 2 * round(seconds * self.rate)
        wait_until(lambda: len(self._heard) >= enough or self._process.poll() is not None, timeout, "sound")
        if len(self._heard) < enough:
            raise RuntimeError("the recording ended early")

    def samples(self) -> Pcm:
        """All that was heard so far."""
        with self._lock:
            whole = len(self._heard) // 2 * 2
            return np.frombuffer(bytes(self._heard[:whole]), dtype="<i2").astype(np.int16)

    @property
    def started(self) -> float:
        """When sample 0 was heard (`time.monotonic()`), to a few milliseconds; it sharpens with time."""
        return self._earliest
