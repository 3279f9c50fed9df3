"""What the room says in the bench: utterances by two voices, at the level of a call, with pauses between; or music."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.rig.speech import Span, speak
from tests.rig.wav import RATE, Pcm

FRAME_SAMPLES = 160
VOICES = ("en-gb", "en-us+f3")
TEXTS = (
    "The ferry to the island leaves at a quarter to seven. If the wind goes round to the north it will wait in the "
    "harbour, and we shall tell you here. Please keep behind the yellow line.",
    "There is water in the lower tunnel again. Somebody should look at the second pump before tonight, because the "
    "first one makes a noise like a bag of spoons.",
    "You are through to the night desk. I can see you on the camera at the east door. Hold your card to the reader, "
    "wait for the green light, and push hard: the hinge is stiff.",
    "Charlie four, this is base. Your parcel is at shelf nineteen, beside the blue boxes. Take the long ladder, and "
    "mind the cable that lies across the floor.",
    "We have no lift between three and five today. The stairs are on your left. If you can not use them, press the "
    "button once more and a colleague will come down to you.",
    "The last reading was forty one point six degrees, which is too warm for the oil. Close the shutter half way, "
    "give it ten minutes, and read it to me once again.",
)
"""Eight to twelve seconds each."""
SPEECH_DBFS = -26.0
"""The root mean square of an utterance: where telephone equipment is tested, by the active level of ITU-T P.56."""
ROOM_DBFS = -70.0
"""The noise behind it, which never stops while frames come."""
LEAD_S = 0.06
"""Of the pause before an utterance, what a server that pauses still sends."""
TAIL_S = 0.2
"""The same after it."""
_GAP_S = (0.5, 2.5)
MUSIC_DBFS = -20.0
"""The root mean square of music: louder than speech, as it has no pauses to make it quieter on the average."""
_LOWEST_NOTES_HZ = (110.0, 165.0, 220.0, 330.0)
"""One for each part."""
_SCALE = (0, 2, 4, 7, 9, 12)
"""Semitones."""
_NOTE_S = (0.4, 1.6)
_ATTACK_S = 0.03
_RELEASE_S = 0.25
_VIBRATO_HZ, _VIBRATO_SHARE = 5.5, 0.003
_HIGHEST_PARTIAL_HZ = 3400.0


@dataclass(frozen=True)
class Material:
    """A whole number of frames of sound, and where the utterances stand in it."""

    pcm: Pcm
    spans: tuple[Span, ...]

    @property
    def frames(self) -> int:
        """How many frames of 20 ms it has."""
        return len(self.pcm) // FRAME_SAMPLES

    def frame(self, number: int) -> bytes:
        """One of them as it comes over the wire (from 0)."""
        return self.pcm[number * FRAME_SAMPLES : (number + 1) * FRAME_SAMPLES].astype("<i2").tobytes()


def utterance(text: str, voice: str) -> Pcm:
    """One of them, at SPEECH_DBFS."""
    said = speak(text, voice=voice).astype(np.float64)
    said *= 32768 * 10 ** (SPEECH_DBFS / 20) / np.sqrt(np.mean(said**2))
    levelled: Pcm = np.clip(np.round(said), -32768, 32767).astype(np.int16)
    return levelled


def talk(seconds: float, seed: int) -> Material:
    """Whole utterances for about that long, each voice in its turn, after pauses of half a second to two and a half.

    The same seed gives the same samples.
    """
    rng = np.random.default_rng(seed)
    parts: list[Pcm] = []
    spans: list[Span] = []
    at = 0
    while at < seconds * RATE:
        said = utterance(TEXTS[len(spans) % len(TEXTS)], VOICES[(len(spans) + len(spans) // len(TEXTS)) % 2])
        gap = round(rng.uniform(*_GAP_S) * RATE)
        spans.append(Span(at + gap, at + gap + len(said)))
        parts += [np.zeros(gap, dtype=np.int16), said]
        at = spans[-1].stop
    rest = round(_GAP_S[1] * RATE)
    rest += -(at + rest) % FRAME_SAMPLES
    dry = np.concatenate([*parts, np.zeros(rest, dtype=np.int16)])
    return Material(_in_a_room(dry, rng), tuple(spans))


def music(seconds: float, seed: int) -> Material:
    """Four parts that never rest, each with its own notes: harmonics, vibrato, soft attacks. No utterances in it.

    Where the parts do not agree no piece of it resembles the one before, as periods of a voice do. The same seed gives
    the same samples.
    """
    rng = np.random.default_rng(seed)
    samples = round(seconds * RATE)
    samples += -samples % FRAME_SAMPLES
    mixed = np.zeros(samples)
    for lowest_hz in _LOWEST_NOTES_HZ:
        at = 0
        while at < samples:
            length_s = rng.uniform(*_NOTE_S)
            hertz = lowest_hz * 2 ** (rng.choice(_SCALE) / 12)
            note = rng.uniform(0.6, 1.0) * _note(hertz, length_s)[: samples - at]
            mixed[at : at + len(note)] += note
            at += round(length_s * RATE)
    mixed *= 32768 * 10 ** (MUSIC_DBFS / 20) / np.sqrt(np.mean(mixed**2))
    return Material(_in_a_room(mixed, rng), ())


def _note(hertz: float, length_s: float) -> NDArray[np.float64]:
    """It sounds for `length_s` and dies away while the next begins."""
    time_s = np.arange(round((length_s + _RELEASE_S) * RATE)) / RATE
    turns = hertz * (time_s - _VIBRATO_SHARE / (2 * np.pi * _VIBRATO_HZ) * np.cos(2 * np.pi * _VIBRATO_HZ * time_s))
    partials = [np.sin(2 * np.pi * n * turns) / n for n in range(1, 9) if n * hertz < _HIGHEST_PARTIAL_HZ]
    rising = np.clip(time_s / _ATTACK_S, 0.0, 1.0)
    falling = np.clip((length_s + _RELEASE_S - time_s) / _RELEASE_S, 0.0, 1.0)
    shaped: NDArray[np.float64] = np.sum(partials, axis=0) * np.sin(np.pi / 2 * rising) * np.sin(np.pi / 2 * falling)
    return shaped


def _in_a_room(dry: Pcm | NDArray[np.float64], rng: np.random.Generator) -> Pcm:
    noise = 32768 * 10 ** (ROOM_DBFS / 20) * rng.standard_normal(len(dry))
    mixed: Pcm = np.clip(np.round(dry + noise), -32768, 32767).astype(np.int16)
    return mixed
