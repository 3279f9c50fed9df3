"""Pauses of speech are found, in silence and in noise; the closed lips within a word are none."""

from __future__ import annotations

from array import array

import numpy as np

from ingestd.core.pauses import PAUSE, Pauses
from tests.rig.speech import conversation

RATE = 8000


def noise(samples: int, level: float, seed: int = 1) -> array[int]:
    return array("h", np.random.default_rng(seed).normal(0, level, samples).astype(np.int16).tolist())


def loud(samples: int) -> array[int]:
    return noise(samples, 3000, 2)


def test_silence_ahead_after_silence_is_a_pause() -> None:
    pauses = Pauses()
    still = array("h", bytes(2 * PAUSE))
    assert pauses.quiet_ahead(still[:160], still) == 160
    assert pauses.quiet_ahead(still[:160] + loud(400), still) == 160, "up to where the voice is back"


def test_too_short_a_quiet_is_none() -> None:
    pauses = Pauses()
    history = loud(800) + array("h", bytes(2 * 240))
    assert pauses.quiet_ahead(array("h", bytes(2 * 400)) + loud(400), history) == 0, "80 ms in all"
    assert pauses.quiet_ahead(array("h", bytes(2 * 560)) + loud(400), history) == 560, "100 ms in all"


def test_a_voice_ahead_is_none() -> None:
    assert Pauses().quiet_ahead(loud(400), array("h", bytes(2 * PAUSE))) == 0
    assert Pauses().quiet_ahead(array("h"), array("h", bytes(2 * PAUSE))) == 0


def test_it_looks_no_further_than_it_must() -> None:
    assert Pauses().quiet_ahead(array("h", bytes(2 * 80_000)), array("h", bytes(2 * PAUSE))) == 3200


def test_a_room_with_noise_has_pauses_too() -> None:
    pauses = Pauses()
    humming = noise(RATE, 400)  # -38 dBFS
    assert pauses.quiet_ahead(humming[:400], humming[-PAUSE:]) == 0, "not known yet"
    for second in range(20):
        for start in range(0, RATE, 160):
            pauses.played(loud(160) if second % 4 else humming[start : start + 160])
    for start in range(0, RATE, 160):
        pauses.played(humming[start : start + 160])
    assert pauses.quiet_ahead(humming[:400], humming[-PAUSE:]) == 400
    assert pauses.quiet_ahead(loud(400), humming[-PAUSE:]) == 0


def test_constant_loud_sound_is_never_a_pause() -> None:
    pauses = Pauses()
    for _ in range(100 * 50):
        pauses.played(loud(160))
    assert pauses.quiet_ahead(loud(400), loud(PAUSE)) == 0


def test_pauses_of_a_conversation_lie_between_its_utterances() -> None:
    pcm, spans = conversation(30.0)
    samples = array("h", pcm.tolist())
    pauses = Pauses()
    between = found = 0
    for at in range(PAUSE, len(samples) - 400, 160):
        pauses.played(samples[at - 160 : at])
        quiet = pauses.quiet_ahead(samples[at : at + 400], samples[at - PAUSE : at])
        inside = any(span.start <= at and at + quiet <= span.stop for span in spans)
        if not inside and quiet:
            found += 1
        between += not any(span.start - PAUSE < at < span.stop + PAUSE for span in spans)
        if inside and quiet:
            piece = np.array(samples[at : at + quiet], float)
            assert np.sqrt(np.mean(piece**2)) < 1000, "a comma, at most"
    assert found >= 0.9 * between > 0
