"""Taking a pitch period out or putting one in: found where it is, and no seam left."""

from __future__ import annotations

from array import array

import numpy as np
import pytest

from ingestd.core import timescale
from ingestd.core.energy import mean_square
from ingestd.core.timescale import MOST_LAG, WINDOW
from tests.rig.speech import speak


def voice(period: int, samples: int = 1200, level: float = 8000.0) -> array[int]:
    """A voice of one pitch: a fundamental and harmonics, falling off."""
    phase = 2 * np.pi * np.arange(samples) / period
    sound = sum(np.sin(n * phase + n) / n for n in range(1, 6))
    return array("h", (level * np.asarray(sound) / 2).astype(np.int16).tolist())


def steepest(samples: array[int]) -> int:
    return int(np.max(np.abs(np.diff(np.array(samples, np.int32)))))


@pytest.mark.parametrize("period", [20, 27, 36, 53, 80, 100, 127])
def test_the_period_of_a_voice_is_found(period: int) -> None:
    lag, likeness = timescale.find_period(voice(period), 400)
    assert likeness > 0.98
    assert min(lag % period, -lag % period) <= 1, "or a multiple of it"


def test_noise_is_like_nothing() -> None:
    noise = array("h", np.random.default_rng(1).normal(0, 3000, 600).astype(np.int16).tolist())
    assert timescale.find_period(noise, 300)[1] < 0.6


@pytest.mark.parametrize("signal", [array("h", bytes(1200)), array("h", [-5] * 600), array("h", [32767, -32768] * 300)])
def test_any_signal_has_an_answer(signal: array[int]) -> None:
    lag, likeness = timescale.find_period(signal, 200)
    assert timescale.LEAST_LAG <= lag <= MOST_LAG
    assert -1.0 <= likeness <= 1.0 + 1e-9


@pytest.mark.parametrize("period", [27, 64, 110])
def test_a_period_less_or_more_is_the_same_voice(period: int) -> None:
    signal = voice(period)
    shorter = timescale.without_period(signal, 400, period)
    assert len(shorter) == len(signal) - period
    assert np.max(np.abs(np.array(shorter) - np.array(signal[: len(shorter)]))) <= 1, "periodic: nothing is changed"
    extra = timescale.extra_period(signal[:400], signal[400:], period)
    longer = signal[:400] + extra + signal[400:]
    assert np.max(np.abs(np.array(longer[: len(signal)]) - np.array(signal))) <= 1


def test_real_speech_gets_no_steps() -> None:
    speech = array("h", speak("Yes, I can hear you. A quick brown fox jumps over the lazy dog.").tolist())
    tried = 0
    for at in range(2000, len(speech) - 2000, 731):
        lag, likeness = timescale.find_period(speech, at)
        if likeness < 0.9 or mean_square(speech[at - 80 : at + 80]) < 500**2:
            continue
        tried += 1
        here = slice(at - 2 * MOST_LAG, at + 2 * MOST_LAG)
        before = steepest(speech[here])
        assert steepest(timescale.without_period(speech, at, lag)[here]) <= 1.2 * before + 100
        extra = timescale.extra_period(speech[:at], speech[at:], lag)
        assert steepest(speech[at - 200 : at] + extra + speech[at : at + 200]) <= 1.2 * before + 100
    assert tried > 10


def test_a_cross_fade_begins_near_one_and_ends_in_the_other() -> None:
    faded = timescale.cross_fade(array("h", [1000] * 100), array("h", [-1000] * 100))
    assert faded[0] == 980
    assert faded[-1] == -1000
    assert list(faded) == sorted(faded, reverse=True)
    assert timescale.cross_fade(array("h"), array("h")) == array("h")
    extremes = timescale.cross_fade(array("h", [32767] * 50), array("h", [-32768] * 50))
    assert max(extremes) <= 32767, "no overflow"


def test_mean_square() -> None:
    assert mean_square(array("h", [3, -3, 3])) == 9
    assert mean_square(array("h")) == 0
    assert mean_square(array("h", [-32768] * WINDOW)) == 2**30
