"""Speech for the rig, made by espeak-ng: 8 kHz, 16 bits, mono, always the same for the same words."""

from __future__ import annotations

import hashlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.rig.wav import RATE, Pcm, silence

CACHE = Path(__file__).parents[2] / "out" / "speech"
"""Where it is kept once made."""

TEXTS = (
    "Is anybody there at the gate?",
    "The pump on the north side has stopped. Its pressure fell at ten past four.",
    "Good morning. This is the weather station on the ridge. Wind from the west, twelve metres a second, "
    "and rain before noon.",
    "Please open valve number seven, wait until the needle rests, then close it again and tell me what you read.",
    "Yes, I can hear you.",
    "A quick brown fox jumps over the lazy dog, while five boxing wizards mix a dozen jugs of liquid, and six big "
    "devils from Japan quickly forgot how to waltz.",
)
"""What is said: utterances of two to twelve seconds."""


@dataclass(frozen=True)
class Span:
    """Where an utterance stands in a longer sound (samples)."""

    start: int
    stop: int


def speak(text: str, *, voice: str = "en-gb", words_per_minute: int = 150, cache: Path = CACHE) -> Pcm:
    """Says it, at −3 dB of full scale."""
    key = hashlib.sha256(f"{voice} {words_per_minute} {text}".encode()).hexdigest()[:16]
    path = cache / f"{key}.raw"
    if not path.exists():
        wav = _run(["espeak-ng", "-v", voice, "-s", str(words_per_minute), "--stdout", text])
        form = ["-t", "raw", "-r", str(RATE), "-c", "1", "-b", "16", "-e", "signed-integer", "-"]
        raw = _run(["sox", "-R", "-D", "--ignore-length", "-t", "wav", "-", *form, "gain", "-n", "-3"], wav)
        cache.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}")
        unfinished.write_bytes(raw)
        unfinished.rename(path)
    return np.frombuffer(path.read_bytes(), dtype="<i2").astype(np.int16)


def _run(command: list[str], sent: bytes = b"") -> bytes:
    return subprocess.run(command, input=sent, capture_output=True, check=True).stdout


def utterances(voice: str = "en-gb", cache: Path = CACHE) -> list[Pcm]:
    """Each of TEXTS."""
    return [speak(text, voice=voice, cache=cache) for text in TEXTS]


def conversation(
    seconds: float, *, gap_s: float = 0.6, voice: str = "en-gb", cache: Path = CACHE
) -> tuple[Pcm, list[Span]]:
    """Whole utterances, each after a silence, for at most that long; silence fills it up to exactly that."""
    said: list[Pcm] = []
    spans: list[Span] = []
    at = 0
    total = round(seconds * RATE)
    parts = utterances(voice, cache)
    gap = silence(gap_s)
    while at + len(gap) + len(part := parts[len(spans) % len(parts)]) <= total:
        spans.append(Span(at + len(gap), at + len(gap) + len(part)))
        said += [gap, part]
        at = spans[-1].stop
    return np.concatenate([*said, np.zeros(total - at, dtype=np.int16)]), spans
