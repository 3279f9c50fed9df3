"""Copies of the clean sound are found again in whatever was made of it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.bench.tracing import Run, place, runs, sources
from tests.rig.wav import RATE, Pcm

random = np.random.default_rng(11)
CLEAN: Pcm = (1000 * random.standard_normal(6 * RATE)).astype(np.int16)


def joined(*parts: Pcm) -> Pcm:
    return np.concatenate(parts)


def silence(samples: int) -> Pcm:
    return np.zeros(samples, dtype=np.int16)


def test_the_same_sound_is_one_run() -> None:
    assert runs(CLEAN, CLEAN) == [Run(0, len(CLEAN), 0)]


def test_what_comes_later_has_a_negative_lag() -> None:
    assert runs(joined(silence(1000), CLEAN), CLEAN) == [Run(1000, 1000 + len(CLEAN), -1000)]


def test_left_out_repeated_and_wrong_samples() -> None:
    wrong = CLEAN[9000:12000].copy()
    wrong[500] += 77
    played = joined(CLEAN[:4000], CLEAN[4040:8000], CLEAN[7840:9000], wrong)
    found = runs(played, CLEAN)
    # A sample that happens to be the same on both sides of a seam may go to either.
    assert [run.lag for run in found] == [0, 40, -120, -120]
    assert [run.start for run in found] == pytest.approx([0, 4000, 7960, 9120 + 501], abs=2)
    assert found[2].stop == 9120 + 500


def test_what_was_made_up_belongs_to_no_run() -> None:
    made = (1000 * random.standard_normal(700)).astype(np.int16)
    found = runs(joined(CLEAN[:5000], made, CLEAN[20000:]), CLEAN)
    assert found == [Run(0, 5000, 0), Run(5700, 5700 + len(CLEAN) - 20000, 14300)]


def test_sound_goes_on_where_it_stopped_however_long_the_silence_was() -> None:
    played = joined(CLEAN[:8000], silence(10 * RATE), CLEAN[8000:])
    assert [run.lag for run in runs(played, CLEAN)] == [0, -10 * RATE]


def test_nothing_is_found_in_another_sound_or_in_silence() -> None:
    other = (1000 * random.standard_normal(4000)).astype(np.int16)
    assert runs(other, CLEAN) == []
    assert runs(silence(4000), CLEAN) == []
    assert runs(silence(4000), silence(4000)) == []
    assert runs(silence(0), CLEAN) == []


def test_which_sample_is_heard_where_and_where_a_sample_is_heard() -> None:
    traced = [Run(100, 200, -100), Run(250, 300, 50)]
    assert sources(traced, np.array([0, 100, 199, 200, 250, 299, 300])).tolist() == [-1, 0, 99, -1, 300, 349, -1]
    assert sources([], np.array([0, 1])).tolist() == [-1, -1]
    assert place(traced, 20) == 120
    assert place(traced, 150) == 250, "it was left out: the next one that is heard"
    assert place(traced, 350) is None
