"""Linear prediction: goes on as the sound would by itself, and never louder."""

from __future__ import annotations

from array import array

import numpy as np
import pytest

from ingestd.core.prediction import ORDER, go_on
from tests.rig.speech import speak
from tests.unit.test_timescale import voice

LENGTH = 240


@pytest.mark.parametrize("hertz", [150.0, 440.0, 1000.0, 3000.0])
def test_a_tone_goes_on(hertz: float) -> None:
    tone = 8000 * np.sin(2 * np.pi * hertz * np.arange(LENGTH + 24) / 8000)
    ahead = np.array(go_on(array("h", tone[:LENGTH].astype(np.int16).tolist()), 24))
    assert np.corrcoef(ahead, tone[LENGTH:])[0, 1] > 0.95
    assert abs(ahead[0] - tone[LENGTH]) < 800


def test_speech_is_met_better_than_by_its_last_sample() -> None:
    speech = array("h", speak("A quick brown fox jumps over the lazy dog.").tolist())
    ours = last = 0.0
    for at in range(LENGTH, len(speech) - 1, 53):
        ours += (go_on(speech[at - LENGTH : at], 1)[0] - speech[at]) ** 2
        last += (speech[at - 1] - speech[at]) ** 2
    assert ours < 0.4 * last


@pytest.mark.parametrize("seed", range(20))
def test_it_never_runs_away(seed: int) -> None:
    random = np.random.default_rng(seed)
    sounds = (random.normal(0, 9000, LENGTH), 32000 * np.sign(random.normal(0, 1, LENGTH)), np.array(voice(64, LENGTH)))
    for sound in sounds:
        samples = array("h", np.clip(sound, -32768, 32767).astype(np.int16).tolist())
        assert max(map(abs, go_on(samples, 1000))) <= 4 * max(map(abs, samples))


@pytest.mark.parametrize("value", [0, 1, -1, 32767, -32768])
def test_constant_sound_has_an_answer(value: int) -> None:
    ahead = go_on(array("h", [value] * LENGTH), ORDER)
    assert len(ahead) == ORDER
    assert all(abs(sample) <= abs(value) + 1 for sample in ahead)
