"""Gain, mute and meters: nothing changes a sample that was not asked to, nothing wraps, nothing clicks."""

from __future__ import annotations

import math
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ingestd.core.level import FLOOR_DBFS, FullScale, Gain, Meter, Mute

Samples = NDArray[np.int16]
RAMP = 40
EXTREMES = np.array([-32768, -32767, -1, 0, 1, 32766, 32767], np.int16)


def sine(amplitude: float, seconds: float = 1.0, hertz: float = 440.0) -> Samples:
    at_s = np.arange(round(seconds * 8000)) / 8000
    return np.rint(amplitude * np.sin(2 * np.pi * hertz * at_s)).astype(np.int16)


def blocks(samples: Samples, sizes: list[int]) -> list[bytes]:
    """All of it, cut into blocks of these sizes in turn."""
    pieces, at, turn = [], 0, 0
    while at < len(samples):
        size = sizes[turn % len(sizes)]
        pieces.append(samples[at : at + size].tobytes())
        at, turn = at + size, turn + 1
    return pieces


def heard(pcm: bytes) -> Samples:
    return np.frombuffer(pcm, np.int16)


# --- gain -------------------------------------------------------------------------------------------------------


def test_without_gain_and_mute_the_very_bytes_come_out() -> None:
    pcm = EXTREMES.tobytes()
    assert Gain(0.0).apply(pcm) is pcm
    assert Mute().apply(pcm) is pcm


@pytest.mark.parametrize("gain_db", [-60, -20, -6, -0.5, 0.5, 6, 20, 30])
def test_a_gain_is_what_it_says_to_half_a_step(gain_db: float) -> None:
    amplitude = min(30000.0, 32000.0 / 10 ** (gain_db / 20))
    samples = sine(amplitude)
    out = heard(Gain(gain_db).apply(samples.tobytes()))
    exact = samples * 10 ** (gain_db / 20)
    assert np.max(np.abs(out - exact)) <= 0.5 + 1e-6 * 32768


@pytest.mark.parametrize("gain_db", [0.1, 6, 30])
def test_what_does_not_fit_saturates_and_is_counted(gain_db: float) -> None:
    gain = Gain(gain_db)
    out = heard(gain.apply(EXTREMES.tobytes()))
    assert (out.min(), out.max()) == (-32768, 32767)
    exact = EXTREMES * 10 ** (gain_db / 20)
    assert np.all(np.sign(out) == np.sign(EXTREMES)), "nothing wraps around"
    assert gain.clipped == np.sum((np.rint(exact) > 32767) | (np.rint(exact) < -32768)) >= 3
    gain.apply(np.zeros(160, np.int16).tobytes())
    assert gain.clipped >= 3


def test_a_lower_gain_clips_nothing() -> None:
    gain = Gain(-0.1)
    gain.apply(np.tile(EXTREMES, 100).tobytes())
    assert gain.clipped == 0


@given(st.lists(st.integers(1, 400), min_size=1, max_size=5), st.integers(-60, 30))
def test_a_change_takes_five_milliseconds_across_blocks_of_any_size(sizes: list[int], gain_db: int) -> None:
    samples = np.full(400, 1000, np.int16)
    gain = Gain()
    gain.set(gain_db)
    out = heard(b"".join(gain.apply(block) for block in blocks(samples, sizes)))
    factor = 10 ** (gain_db / 20)
    ramp = 1 + (factor - 1) * np.minimum(1.0, np.arange(1, 401) / RAMP)
    assert np.max(np.abs(out - np.clip(1000 * ramp, -32768, 32767))) <= 1


def test_a_gain_may_change_again_before_it_is_there() -> None:
    gain = Gain()
    samples = np.full(20, 10_000, np.int16)
    gain.set(-60)
    half = heard(gain.apply(samples.tobytes()))
    gain.set(0)
    back = heard(gain.apply(np.full(RAMP, 10_000, np.int16).tobytes()))
    steps = np.diff(np.concatenate([[10_000], half, back]).astype(int))
    assert np.max(np.abs(steps)) <= 10_000 / RAMP + 1
    assert back[-1] == 10_000
    pcm = samples.tobytes()
    assert gain.apply(pcm) is pcm, "and then nothing is touched again"
    gain.set(-60)
    assert gain.apply(b"") == b""
    assert gain.apply(pcm) != pcm, "until it is set again"


@pytest.mark.parametrize("gain_db", [-60.1, 30.1, math.nan, math.inf])
def test_a_gain_out_of_range_is_refused(gain_db: float) -> None:
    gain = Gain(3.0)
    with pytest.raises(ValueError, match="-60 to 30 dB"):
        gain.set(gain_db)
    assert gain.gain_db == 3.0


# --- mute -------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 400), min_size=1, max_size=5))
def test_mute_fades_to_exact_zeros_and_back(sizes: list[int]) -> None:
    mute = Mute()
    samples = np.full(400, 12_345, np.int16)
    mute.on = True
    out = heard(b"".join(mute.apply(block) for block in blocks(samples, sizes)))
    assert len(out) == len(samples), "the cadence stays"
    assert np.max(np.abs(np.diff(out[:RAMP].astype(int)))) <= 12_345 / RAMP + 1
    assert not np.any(out[RAMP - 1 :])
    mute.on = False
    out = heard(b"".join(mute.apply(block) for block in blocks(samples, sizes)))
    assert 0 < out[0] <= 12_345 / RAMP + 1
    assert np.max(np.abs(np.diff(out.astype(int)))) <= 12_345 / RAMP + 1
    assert np.all(out[RAMP - 1 :] == 12_345)


def test_a_block_of_no_samples_is_none() -> None:
    mute = Mute()
    mute.on = True
    assert mute.apply(b"") == b""
    Meter().add(b"")
    FullScale().add(b"")


# --- full scale -------------------------------------------------------------------------------------------------


def clipped(*cut: list[int]) -> int:
    counter = FullScale()
    for block in cut:
        counter.add(np.array(block, np.int16).tobytes())
    return counter.clipped


TOP, LOW = 32767, -32768


def test_one_sample_at_full_scale_may_be_honest_and_more_in_a_row_are_not() -> None:
    assert clipped([0, TOP, 0, LOW, 0]) == 0
    assert clipped([0, TOP, LOW, TOP]) == 0, "noise at full scale, but no run"
    assert clipped([0, TOP, TOP, 0]) == 2
    assert clipped([LOW, LOW + 1, LOW, 5, TOP, TOP]) == 5


@given(st.lists(st.sampled_from([0, TOP, LOW]), max_size=30), st.integers(1, 30))
def test_runs_are_followed_across_blocks(samples: list[int], at: int) -> None:
    assert clipped(samples[:at], samples[at:]) == clipped(samples)


@given(st.lists(st.sampled_from([0, 127, 255, -1, -128, TOP - 1, TOP, LOW, LOW + 1, LOW + 2]), max_size=40))
def test_what_is_counted_does_not_hang_on_how_bytes_lie(samples: list[int]) -> None:
    ends = [(sample >= TOP) - (sample <= LOW + 1) for sample in samples]
    runs = [(end, len(list(run))) for end, run in groupby(ends)]
    assert clipped(samples) == sum(length for end, length in runs if end and length > 1)


# --- meters -----------------------------------------------------------------------------------------------------


def metered(samples: Samples, sizes: list[int]) -> Meter:
    meter = Meter()
    for block in blocks(samples, sizes):
        meter.add(block)
    return meter


@pytest.mark.parametrize("sizes", [[160], [80, 33, 441], [1], [8000]])
@pytest.mark.parametrize("down_db", [0, 20, 60])
def test_a_sine_shows_its_peak_and_three_decibels_less(sizes: list[int], down_db: float) -> None:
    meter = metered(sine(32767 / 10 ** (down_db / 20), 3.0), sizes)
    assert meter.peak_dbfs == pytest.approx(-down_db, abs=0.1)
    assert meter.level_dbfs == pytest.approx(-down_db - 3.01, abs=0.15)


def test_silence_is_a_number_and_the_loudest_sample_is_zero() -> None:
    assert (Meter().level_dbfs, Meter().peak_dbfs) == (FLOOR_DBFS, FLOOR_DBFS)
    meter = metered(np.full(40_000, -32768, np.int16), [160])
    assert meter.level_dbfs == pytest.approx(0.0, abs=0.01)
    assert meter.peak_dbfs == 0.0
    meter.clear()
    assert (meter.level_dbfs, meter.peak_dbfs) == (FLOOR_DBFS, FLOOR_DBFS)


def test_the_level_follows_within_a_third_of_a_second_and_the_peak_stays_for_one() -> None:
    meter = metered(sine(16384, 3.0), [160])
    silence = bytes(2 * 160)
    levels, peaks = [], []
    for _ in range(500):
        meter.add(silence)
        levels.append(meter.level_dbfs)
        peaks.append(meter.peak_dbfs)
    assert levels[14] == pytest.approx(-6.02 - 3.01 - 4.34, abs=0.2), "a factor e of power after 300 ms"
    assert peaks[48] == pytest.approx(-6.02, abs=0.1)
    assert peaks[99] == pytest.approx(-6.02 - 20, abs=1.0), "then it falls by 20 dB a second"
    assert levels[99] < -35
    assert min(levels + peaks) == FLOOR_DBFS


def test_a_higher_peak_shows_at_once() -> None:
    meter = metered(sine(1000, 1.0), [160])
    meter.add(np.array([0, -20_000, 0], np.int16).tobytes())
    assert meter.peak_dbfs == pytest.approx(20 * math.log10(20_000 / 32768), abs=0.01)


def test_what_nobody_looked_at_in_time_counts_as_silence() -> None:
    meter = metered(sine(16384, 1.0), [160])
    assert meter.peak_dbfs == pytest.approx(-6.02, abs=0.1)
    for block in blocks(sine(32767, 60.0), [160]) + blocks(np.zeros(16_000, np.int16), [160]):
        meter.add(block)
    assert (meter.level_dbfs, meter.peak_dbfs) == (FLOOR_DBFS, FLOOR_DBFS)


@pytest.mark.parametrize("every", [1, 7, 99])
def test_who_looks_seldom_sees_what_he_would_who_always_looks(every: int) -> None:
    samples = (sine(20_000, 5.0) * np.random.default_rng(1).random(40_000)).astype(np.int16)
    always, seldom = Meter(), Meter()
    for number, block in enumerate(blocks(samples, [160]), start=1):
        always.add(block)
        seldom.add(block)
        shown = (always.level_dbfs, always.peak_dbfs)
        if number % every == 0:
            assert (seldom.level_dbfs, seldom.peak_dbfs) == pytest.approx(shown, abs=0.01)
