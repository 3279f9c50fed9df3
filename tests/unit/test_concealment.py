"""What fills a gap: goes on from what was heard without a step, at its pitch, and is silent soon."""

from __future__ import annotations

from array import array

import numpy as np
import pytest

from ingestd.core.concealment import HISTORY, Concealment
from tests.rig.speech import speak
from tests.unit.test_timescale import voice

LENGTH = 640  # 80 ms


@pytest.mark.parametrize("period", [27, 64, 110])
def test_a_voice_goes_on_and_fades(period: int) -> None:
    signal = voice(period, HISTORY + LENGTH)
    made = np.array(Concealment(signal[:HISTORY]).take(LENGTH), float)
    true = np.array(signal[HISTORY:], float)
    assert np.corrcoef(made[:160], true[:160])[0, 1] > 0.95
    levels = [np.sqrt(np.mean(made[at : at + 160] ** 2)) for at in range(0, LENGTH, 160)]
    assert levels[1:] == sorted(levels[1:], reverse=True)
    assert levels[0] > 0.8 * np.sqrt(np.mean(true**2))
    assert levels[-1] < 0.3 * levels[0]


def test_it_is_silent_after_80_ms_and_stays_so() -> None:
    concealment = Concealment(voice(64, HISTORY))
    taken = [(concealment.take(size), concealment.silent)[1] for size in (LENGTH - 1, 1)]
    assert taken == [False, True]
    assert concealment.take(1000) == array("h", bytes(2000))


def test_taken_in_pieces_it_is_the_same() -> None:
    whole = Concealment(voice(53, HISTORY)).take(700)
    piecewise = Concealment(voice(53, HISTORY))
    pieces = array("h")
    for size in (1, 79, 0, 160, 3, 457):
        pieces += piecewise.take(size)
    assert pieces == whole


def test_no_step_at_the_seam_of_real_speech() -> None:
    speech = array("h", speak("A quick brown fox jumps over the lazy dog.").tolist())
    worst = 0.0
    for at in range(HISTORY, len(speech), 97):
        history = speech[at - HISTORY : at]
        made = Concealment(history).take(LENGTH)
        seam = np.array(history[-3:] + made[:3], float)
        usual = float(np.max(np.abs(np.diff(np.array(history, float), 2)))) + 50
        worst = max(worst, float(np.max(np.abs(np.diff(seam, 2)))) / usual)
    assert worst < 1.5, "no sharper bend than the speech itself has there"


@pytest.mark.parametrize("history", [array("h", bytes(2 * HISTORY)), array("h", [32767, -32768] * (HISTORY // 2))])
def test_silence_and_full_scale(history: array[int]) -> None:
    made = Concealment(history).take(LENGTH)
    assert len(made) == LENGTH
    if not any(history):
        assert not any(made)
