"""Pulling virtual cards out and plugging them in again at random, and listening for real sound after each time."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from tests.rig.resources import Resources
from tests.rig.sound import VirtualCard
from tests.rig.streams import Recording
from tests.rig.wav import RATE, Pcm, tone
from tests.standin.control import Control

FRAME: Final = 160
_LOUD: Final = 1000.0
"""Of 32767: the amplitude of a tone that counts as heard; tones are played at half of full scale."""
_NEVER_S: Final = 10.0
_POLL_S: Final = 0.02
_PITCHES_HZ: Final = tuple(range(400, 2000, 200))
"""Whole numbers of cycles in a frame, so that a frame tells one from the other exactly."""


class Ear(Protocol):
    """Tells when the sound of one plugging reaches the far end of the device."""

    def listen(self, number: int) -> AbstractContextManager[Callable[[], float | None]]:
        """Begins with the `number`th plugging; asked again and again, it tells when sound was heard first."""


class RoomEar:
    """Speaks into a microphone, each time at another pitch, and finds that in what the stand-in's room received."""

    def __init__(self, card: VirtualCard, room: Control, call: str | int = 0) -> None:
        """`room` is for this ear's thread alone; `call` is the session that counts."""
        self._card = card
        self._room = room
        self._call = call

    @contextmanager
    def listen(self, number: int) -> Iterator[Callable[[], float | None]]:
        """See `Ear`."""
        pitch_hz = _PITCHES_HZ[number % len(_PITCHES_HZ)]
        first = self._room.call(self._call).received_frames
        playback = self._card.play(tone(pitch_hz, _NEVER_S + 10))
        try:
            yield lambda: self._heard(first, pitch_hz)
        finally:
            playback.stop()

    def _heard(self, first: int, pitch_hz: int) -> float | None:
        kept = self._room.received(self._call, first)
        (hits,) = np.nonzero(pitches_hz(kept.samples) == pitch_hz)
        return float(kept.times_s[hits[0]]) if len(hits) else None


class SpeakerEar:
    """Records a speaker into which the room's sound goes all the time."""

    def __init__(self, card: VirtualCard) -> None:
        self._card = card

    @contextmanager
    def listen(self, number: int) -> Iterator[Callable[[], float | None]]:
        """See `Ear`. What sounds before the recorder runs, some 60 ms after it is asked to, is not heard."""
        with self._card.record(latency_ms=10) as recording:
            yield lambda: self._heard(recording)

    def _heard(self, recording: Recording) -> float | None:
        (hits,) = np.nonzero(pitches_hz(recording.samples()))
        return recording.started + float(hits[0] + 1) * FRAME / RATE if len(hits) else None


@dataclass(frozen=True)
class Plugging:
    """One time that a card was plugged in, until it was pulled out again. Times are CLOCK_MONOTONIC seconds."""

    hard: bool
    """Its whole sound server was gone before, not just the device."""
    away_s: float
    """How long it had been out."""
    in_s: float
    heard_s: float
    """When sound came through; infinity for never."""
    resources: Resources
    """What the device's process held then."""

    @property
    def back_s(self) -> float:
        """Seconds from plugging it in to sound."""
        return self.heard_s - self.in_s


class Plugger:
    """Works one card: out and in again, so many times, each time until sound has come through and a while longer.

    Now and then the contact bounces: the card is gone again before anybody could use it; that counts for nothing.
    """

    def __init__(self, card: VirtualCard, ear: Ear, pid: int, seed: int, stop: threading.Event) -> None:
        """`pid` is the process that uses the card; `stop` ends the work early."""
        self._card = card
        self._ear = ear
        self._pid = pid
        self._random = random.Random(seed)
        self._stop = stop
        self.pluggings: list[Plugging] = []
        """So far."""
        self.bounces = 0

    def run(self, times: int) -> None:
        """The work. Its thread has to live as long as the card is needed: PulseAudio ends with who started it."""
        for number in range(times):
            self._stop.wait(self._random.uniform(0.3, 2.5))
            if self._random.random() < 0.2:
                self._swap(self._random.uniform(0.2, 1.0))
                self._stop.wait(self._random.uniform(0.01, 0.3))
                self.bounces += 1
            hard, away_s = self._swap(self._random.uniform(0.2, 3.0))
            in_s = time.monotonic()
            with self._ear.listen(number) as heard:
                heard_s = wait_for_sound(heard, in_s + _NEVER_S)
            self.pluggings.append(Plugging(hard, away_s, in_s, heard_s, Resources.of(self._pid)))
            if self._stop.is_set():
                return

    def _swap(self, away_s: float) -> tuple[bool, float]:
        hard = self._random.random() < 0.5
        out_s = time.monotonic()
        self._card.unplug(hard=hard)
        self._stop.wait(away_s)
        self._card.replug(warm=False)
        return hard, time.monotonic() - out_s


def wait_for_sound(heard: Callable[[], float | None], until_s: float) -> float:
    """When it was heard; infinity where it was not by `until_s` (CLOCK_MONOTONIC)."""
    while (heard_s := heard()) is None:
        if time.monotonic() > until_s:
            return float("inf")
        time.sleep(_POLL_S)
    return heard_s


def pitches_hz(samples: Pcm) -> Pcm:
    """The pitch of each whole 20 ms (hertz, to the nearest 50), 0 where there is none worth hearing."""
    whole = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    if not len(whole):
        return np.zeros(0, np.int16)
    lines = np.abs(np.fft.rfft(whole))[:, 1:]
    best = np.argmax(lines, axis=1)
    loud = lines[np.arange(len(whole)), best] * 2 / FRAME > _LOUD
    return np.where(loud, (best + 1) * (RATE // FRAME), 0).astype(np.int16)
