"""The alignment tells what was done to a sound."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.rig.align import align, align_each, band_limit
from tests.rig.speech import Span, conversation, speak
from tests.rig.wav import RATE, Pcm, rms, silence, tone

random = np.random.default_rng(5)


def babble(seconds: float) -> Pcm:
    """Noise that is loud and quiet in turns, as syllables are."""
    count = round(seconds * RATE)
    steps = random.uniform(0, 1, count // 800 + 2) ** 2
    loudness = np.interp(np.arange(count), np.arange(len(steps)) * 800, steps)
    sound: Pcm = (6000 * loudness * band_limit(random.standard_normal(count))).astype(np.int16)
    return sound


def delayed(sound: Pcm, seconds: float, tail: float = 1.0) -> Pcm:
    return np.concatenate([silence(seconds), sound, silence(tail)])


def noise(count: int, level: float) -> Pcm:
    return (level * 32767 * random.standard_normal(count)).astype(np.int16)


SPOKEN = babble(6)


@pytest.mark.parametrize("lag", [0.0, 0.05, 0.31237, 4.0])
def test_the_same_sound_later(lag: float) -> None:
    found = align(delayed(SPOKEN, lag), SPOKEN)
    assert found.correlation > 0.999
    assert found.lag_s == pytest.approx(lag, abs=1 / RATE)
    assert found.drift_ppm == pytest.approx(0, abs=5)


def test_a_recording_that_began_too_late_has_a_negative_lag() -> None:
    found = align(SPOKEN[2000:], SPOKEN)
    assert found.lag_s == pytest.approx(-0.25, abs=1 / RATE)
    assert found.correlation > 0.9


def test_loudness_does_not_matter_and_noise_does() -> None:
    quiet = delayed((SPOKEN // 8).astype(np.int16), 0.4)
    assert align(quiet, SPOKEN).correlation > 0.99
    assert 0.2 < align(quiet + noise(len(quiet), rms(quiet)), SPOKEN).correlation < 0.9


def test_noise_hardly_moves_the_lag() -> None:
    heard = delayed(SPOKEN, 0.7)
    found = align(heard + noise(len(heard), rms(SPOKEN) / 2), SPOKEN)
    assert found.lag_s == pytest.approx(0.7, abs=2 / RATE)
    assert 0.7 < found.correlation < 0.99


@pytest.mark.parametrize("ppm", [-1000, -100, 300, 1000])
def test_drift_is_measured_and_does_not_spoil_the_correlation(ppm: float) -> None:
    at = np.arange(round(len(SPOKEN) * (1 + ppm * 1e-6))) / (1 + ppm * 1e-6)
    fine = 16 * np.fft.irfft(np.fft.rfft(SPOKEN), 16 * len(SPOKEN))
    heard = delayed(np.interp(at, np.arange(len(fine)) / 16, fine).astype(np.int16), 0.5)
    found = align(heard, SPOKEN)
    assert found.drift_ppm == pytest.approx(ppm, abs=5)
    assert found.correlation > 0.98
    assert found.lag_s == pytest.approx(0.5 + 3e-6 * ppm, abs=2e-6 * abs(ppm))


def test_a_lost_frame_costs_no_more_than_itself() -> None:
    cut = np.concatenate([SPOKEN[:20_000], SPOKEN[20_160:]])
    found = align(delayed(cut, 0.5), SPOKEN)
    assert found.correlation > 0.9
    assert found.blocks[0].lag_s == pytest.approx(0.5, abs=1 / RATE)
    assert found.blocks[-1].lag_s == pytest.approx(0.48, abs=1 / RATE)


def test_a_second_of_silence_instead_of_it_shows() -> None:
    holed = SPOKEN.copy()
    holed[16_000:24_000] = 0
    assert align(delayed(holed, 0.5), SPOKEN).correlation < 0.95


def test_another_sound_is_not_it() -> None:
    assert align(babble(8), SPOKEN).correlation < 0.2
    assert align(silence(8), SPOKEN).correlation == 0
    assert align(delayed(SPOKEN, 0.5), silence(3)).correlation == 0


def test_the_search_keeps_to_its_window() -> None:
    twice = np.concatenate([silence(0.5), SPOKEN, silence(0.5), SPOKEN])
    assert align(twice, SPOKEN, about_s=0.4, search_s=0.3).lag_s == pytest.approx(0.5, abs=1 / RATE)
    assert align(twice, SPOKEN, about_s=7.1, search_s=0.3).lag_s == pytest.approx(7.0, abs=1 / RATE)


def test_each_utterance_by_itself() -> None:
    parts = [babble(2), babble(3)]
    spoken = np.concatenate([silence(0.5), parts[0], silence(0.5), parts[1]])
    spans = [Span(4000, 20_000), Span(24_000, 48_000), Span(600_000, 700_000)]
    heard = np.concatenate([silence(0.7), parts[0], silence(0.6), parts[1]])
    first, second, never = align_each(heard, spoken, spans, about_s=0.2)
    assert first.lag_s == pytest.approx(0.2, abs=1 / RATE)
    assert second.lag_s == pytest.approx(0.3, abs=1 / RATE)
    assert min(first.correlation, second.correlation) > 0.99
    assert never.correlation == 0


def test_the_band_is_the_telephones() -> None:
    assert rms(band_limit(tone(100, 1)).astype(np.int16)) < 0.01
    assert rms(band_limit(tone(1000, 1)).astype(np.int16)) == pytest.approx(0.354, abs=0.01)
    assert rms(band_limit(tone(3700, 1)).astype(np.int16)) < 0.01


@pytest.mark.skipif(not (shutil.which("espeak-ng") and shutil.which("sox")), reason="needs espeak-ng and sox")
def test_speech_is_made_once_and_fills_its_time(tmp_path: Path) -> None:
    sound, spans = conversation(20, cache=tmp_path)
    assert len(sound) == 20 * RATE
    assert all(1 <= (span.stop - span.start) / RATE <= 13 for span in spans)
    assert rms(sound) > 0.03
    made = sorted(tmp_path.iterdir())
    assert np.array_equal(conversation(20, cache=tmp_path)[0], sound)
    assert sorted(tmp_path.iterdir()) == made
    first = sound[spans[0].start : spans[0].stop]
    assert np.array_equal(first, speak("Is anybody there at the gate?", cache=tmp_path))
    found = align(delayed(sound, 0.25), sound)
    assert found.lag_s == pytest.approx(0.25, abs=1 / RATE)
    assert found.correlation > 0.999
