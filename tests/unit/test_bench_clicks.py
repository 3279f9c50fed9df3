"""The click detector finds what clicks, and nothing in speech as it is, in fades, and in seams between like pieces."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.bench.clicks import clicks
from tests.bench.material import TEXTS, VOICES, talk, utterance
from tests.rig.figures import Figures
from tests.rig.wav import RATE, Pcm, tone

pytestmark = pytest.mark.undisturbed

VOICES_TRIED = (*VOICES, "en-us", "de", "fr+f2")
NOTHING = np.zeros(0, dtype=np.int16)
LOUD_DBFS = -30.0
POSITIONS = 200
_BEFORE, _AFTER = 2000, 4000
_NEAR = 20

TALK = talk(40, 3).pcm


def loud_places(sound: Pcm, level_dbfs: float = LOUD_DBFS) -> NDArray[np.int64]:
    """Where the 20 ms around are louder than that."""
    power = np.convolve(sound.astype(np.float64) ** 2, np.ones(160) / 160, "same")
    places = np.flatnonzero(power > (32768 * 10 ** (level_dbfs / 20)) ** 2)
    return places[(places > _BEFORE) & (places < len(sound) - _AFTER)]


def silenced(sound: Pcm, at: int) -> Pcm:
    """Runs dry, and goes on 40 ms later: the zeros of a player that does no more."""
    return np.concatenate([sound[:at], np.zeros(320, dtype=np.int16), sound[at:]])


def shortened(sound: Pcm, at: int) -> Pcm:
    return np.concatenate([sound[:at], sound[at + 40 :]])


def repeated(sound: Pcm, at: int) -> Pcm:
    return np.concatenate([sound[:at], sound[at - 160 :]])


def spoilt(sound: Pcm, at: int) -> Pcm:
    wild = sound.copy()
    wild[at] = -16000 if wild[at] > 0 else 16000
    return wild


Fault = Callable[[Pcm, int], Pcm]
FAULTS: dict[str, tuple[Fault, int, float]] = {
    # name: what is done; how far behind the place the last seam is; the least share that has to be found
    "silence": (silenced, 320, 0.62),
    "removal": (shortened, 0, 0.55),
    "repetition": (repeated, 0, 0.45),
    "wild_sample": (spoilt, 0, 0.98),
}


def jump(sound: Pcm, at: int) -> int:
    return int(abs(int(sound[at]) - int(sound[at - 1])))


@pytest.mark.parametrize("gain_db", [0.0, -4.0])
@pytest.mark.parametrize("name", FAULTS)
def test_faults_in_loud_speech_are_found(figures: Figures, name: str, gain_db: float) -> None:
    fault, length, least = FAULTS[name]
    sound = np.round(TALK * 10 ** (gain_db / 20)).astype(np.int16)
    places = np.random.default_rng(1).choice(loud_places(sound, LOUD_DBFS + gain_db), POSITIONS, replace=False)
    found = plain = found_plain = elsewhere = 0
    for place in places:
        clean = sound[place - _BEFORE : place + _AFTER]
        faulty = fault(clean, _BEFORE)
        heard = clicks(faulty, clean)
        hits = [at for at in heard if _BEFORE - _NEAR < at < _BEFORE + length + _NEAR]
        elsewhere += len(heard) - len(hits)
        found += bool(hits)
        natural = np.abs(np.diff(clean[_BEFORE - 104 : _BEFORE + 104].astype(np.int64))).max()
        if max(jump(faulty, _BEFORE), jump(faulty, _BEFORE + length)) > natural:
            plain += 1
            found_plain += bool(hits)
    assert elsewhere == 0
    # Whichever leaps further than anything that the speech does within 13 ms.
    assert found_plain >= 0.85 * plain > 0
    # The others too, but where the two sides happen to meet, or in the noise of an s, there is no click to be found.
    level = f"minus_{26 - gain_db:.0f}_dbfs"
    assert figures.add(f"bench_clicks_found_{name}_{level}_share", found / POSITIONS, min=least)


def test_speech_is_without_clicks_even_where_nothing_is_known_of_it(figures: Figures) -> None:
    alarms, seconds = 0, 0.0
    for voice in VOICES_TRIED:
        for text in TEXTS[:3]:
            speech = utterance(text, voice)
            alarms += len(clicks(speech, NOTHING))
            seconds += len(speech) / RATE
            assert clicks(speech, speech) == []
    assert figures.add("bench_clicks_false_alarms_per_minute", 60 * alarms / seconds, max=0)


@pytest.mark.parametrize("hertz", [100, 250, 440, 1000])
def test_sines_are_without_clicks(hertz: float) -> None:
    sine = tone(hertz, 2.0, level=0.3)
    slowly = np.minimum(1.0, np.arange(len(sine)) / 400)
    assert clicks((sine * slowly * slowly[::-1]).astype(np.int16), NOTHING) == []


@pytest.mark.parametrize("colour", [0.0, 0.9])
def test_noise_is_without_clicks(colour: float) -> None:
    white = 2000 * np.random.default_rng(2).standard_normal(10 * RATE)
    noise = np.empty_like(white)
    last = 0.0
    for number, sample in enumerate(white):
        last = colour * last + (1 - colour) * sample
        noise[number] = last
    assert clicks(noise.astype(np.int16), NOTHING) == []


@pytest.mark.parametrize("factor", [0.3, 0.9, 1.5])
def test_louder_or_quieter_speech_is_without_clicks(factor: float) -> None:
    assert clicks((TALK * factor).astype(np.int16), TALK) == []


def test_fades_of_5_ms_are_without_clicks() -> None:
    ramp = np.linspace(1, 0, 40)
    for place in np.random.default_rng(4).choice(loud_places(TALK), POSITIONS, replace=False):
        clean = TALK[place - _BEFORE : place + _AFTER]
        faded = clean.astype(np.float64)
        faded[_BEFORE : _BEFORE + 40] *= ramp
        faded[_BEFORE + 40 : _BEFORE + 400] = 0
        faded[_BEFORE + 400 : _BEFORE + 440] *= ramp[::-1]
        assert clicks(np.round(faded).astype(np.int16), clean) == []


def test_a_fade_into_what_has_just_been_faded_in_is_without_clicks() -> None:
    ramp = np.linspace(0, 1, 80)
    for place in np.random.default_rng(5).choice(loud_places(TALK), POSITIONS, replace=False):
        clean = TALK[place - _BEFORE : place + _AFTER]
        head = clean[_BEFORE : _BEFORE + 80] * ramp
        faded = np.round(head * (1 - ramp) + clean[_BEFORE + 900 : _BEFORE + 980] * ramp).astype(np.int16)
        played = np.concatenate([np.zeros(800, dtype=np.int16), faded, clean[_BEFORE + 980 :]])
        assert clicks(played, clean) == []


def best_period(sound: Pcm, at: int) -> int:
    """The lag from 2.5 to 16 ms by which what follows resembles what came before most, 0 where nothing does."""
    here = sound[at : at + 120].astype(np.float64)
    scores = {}
    for lag in range(20, 129):
        there = sound[at - lag : at - lag + 120].astype(np.float64)
        scores[lag] = float(here @ there / np.sqrt((here @ here) * (there @ there) + 1.0))
    best = max(scores, key=scores.__getitem__)
    return best if scores[best] > 0.9 else 0


def test_a_pitch_period_taken_out_or_put_in_by_a_cross_fade_is_without_clicks() -> None:
    tried = 0
    for place in np.random.default_rng(6).choice(loud_places(TALK), POSITIONS, replace=False):
        clean = TALK[place - _BEFORE : place + _AFTER]
        lag = best_period(clean, _BEFORE)
        if not lag:
            continue
        tried += 1
        weight = np.arange(1, lag + 1) / lag
        before, after = clean[_BEFORE - lag : _BEFORE], clean[_BEFORE : _BEFORE + lag]
        less = np.round(before * (1 - weight) + after * weight).astype(np.int16)
        assert clicks(np.concatenate([clean[: _BEFORE - lag], less, clean[_BEFORE + lag :]]), clean) == []
        more = np.round(after * (1 - weight) + before * weight).astype(np.int16)
        assert clicks(np.concatenate([clean[:_BEFORE], more, clean[_BEFORE:]]), clean) == []
    assert tried > POSITIONS // 3


def test_clicks_close_together_are_one() -> None:
    clean = tone(200, 1.0, level=0.3)
    wild = clean.copy()
    wild[4000], wild[4040], wild[6000] = 30000, 30000, 30000
    assert clicks(wild, clean) == pytest.approx([4000, 6000], abs=2)
