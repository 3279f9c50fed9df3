"""The delay-locked loop over (time, samples): rate, phase, gaps; all in simulated time."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.core.sampleclock import SampleClock

RATE = 8000
PERIOD = 160
START_S = 5000.0


class Card:
    """A sound card off by `ppm`, whose reads come `late()` seconds after the samples are there."""

    def __init__(self, clock: SampleClock, ppm: float = 0.0, late: Callable[[], float] = lambda: 0.0) -> None:
        self.clock = clock
        self.s_per_sample = 1.0 / (RATE * (1 + ppm * 1e-6))
        self.late = late
        self.samples = 0
        self.start_s = START_S
        self.lost = 0  # samples that the clock never heard of

    def true_s(self, index: int) -> float:
        """When sample `index` was complete."""
        return self.start_s + (index + self.lost) * self.s_per_sample

    def read(self, periods: int, period: int = PERIOD) -> None:
        for _ in range(periods):
            self.samples += period
            self.clock.observe(self.true_s(self.samples) + self.late(), self.samples)

    @property
    def error_s(self) -> float:
        """How far the clock is off at the newest sample; positive: it says later."""
        assert self.clock.now is not None
        return self.clock.now.time_of(self.samples) - self.true_s(self.samples)


def lateness(seed: int, usual_s: float = 0.0005, seldom_s: float = 0.03) -> Callable[[], float]:
    """Late by up to half a millisecond, and each hundredth time by up to 30 ms."""
    rng = random.Random(seed)
    return lambda: rng.random() * (seldom_s if rng.random() < 0.01 else usual_s)


def phase(clock: SampleClock) -> int:
    """The number of the present phase; 0 without one."""
    return 0 if clock.now is None else clock.now.phase


@pytest.mark.parametrize("ppm", [-1000, -300, -20, 0, 20, 300, 1000])
def test_the_rate_converges_to_the_cards(ppm: int) -> None:
    card = Card(SampleClock(RATE), ppm, lateness(3))
    card.read(50 * 120)
    assert card.clock.drift_ppm == pytest.approx(ppm, abs=30)
    assert abs(card.error_s) < 0.001
    assert card.clock.gaps == 0


@pytest.mark.parametrize("ppm", [-1000, 1000])
def test_the_time_holds_while_the_rate_is_still_learnt(ppm: int) -> None:
    card = Card(SampleClock(RATE), ppm)
    for _ in range(50 * 60):
        card.read(1)
        assert abs(card.error_s) < 0.0008
    assert card.clock.gaps == 0


@pytest.mark.parametrize("period", [1, 40, 441, 1000, 4000])
def test_reads_of_any_size_are_followed(period: int) -> None:
    card = Card(SampleClock(RATE), 200)
    card.read(60 * RATE // period, period)
    assert card.clock.drift_ppm == pytest.approx(200, abs=15)
    assert abs(card.error_s) < 0.0005


@pytest.mark.parametrize("early", range(10))
def test_the_first_phase_is_the_earliest_of_ten_reads(early: int) -> None:
    card = Card(SampleClock(RATE))
    for n in range(10):
        card.late = lambda n=n: 0.0 if n == early else 0.015  # type: ignore[misc]
        card.read(1)
    assert card.error_s == pytest.approx(0.0, abs=1e-9)


def test_until_the_first_read_there_is_no_time_and_after_each_there_is_one() -> None:
    clock = SampleClock(RATE)
    assert phase(clock) == 0
    clock.observe(100.0, 160)
    assert clock.now is not None
    assert clock.now.time_of(160) == 100.0
    assert clock.now.time_of(320) == pytest.approx(100.02)
    assert clock.now.time_of(0) == pytest.approx(99.98)


def test_relocking_finds_the_phase_anew_and_keeps_the_rate() -> None:
    card = Card(SampleClock(RATE), 500)
    card.read(50 * 120)
    learnt = card.clock.drift_ppm
    before = phase(card.clock)
    assert before
    card.clock.relock()
    assert phase(card.clock) == 0
    assert card.clock.drift_ppm == learnt
    card.start_s += 3.3  # the device was away
    card.read(10)
    assert card.clock.drift_ppm == learnt
    assert phase(card.clock) == before + 1
    assert abs(card.error_s) < 1e-6
    card.read(500)
    assert card.clock.drift_ppm == pytest.approx(learnt, abs=5)
    assert card.clock.gaps == 0


@pytest.mark.parametrize("lost", [200, 800, 80_000])
def test_samples_that_were_lost_in_silence_are_noticed(lost: int) -> None:
    card = Card(SampleClock(RATE))
    card.read(500)
    before = phase(card.clock)
    assert before
    card.lost = lost
    card.read(60)
    assert card.clock.gaps == 1
    assert phase(card.clock) == before + 1
    assert abs(card.error_s) < 0.001
    card.read(50 * 60)
    assert abs(card.error_s) < 0.0005
    assert abs(card.clock.drift_ppm) < 10
    assert card.clock.gaps == 1


@pytest.mark.parametrize("extra", [200, 8000])
def test_samples_out_of_nowhere_are_noticed_at_once(extra: int) -> None:
    card = Card(SampleClock(RATE))
    card.read(500)
    card.lost = -extra
    card.read(1)
    assert card.clock.gaps == 1
    card.read(20)
    assert card.clock.gaps == 1
    assert abs(card.error_s) < 1e-6


def test_a_gap_too_short_to_be_told_from_lateness_is_drifted_over() -> None:
    card = Card(SampleClock(RATE))
    card.read(500)
    card.lost = 80  # 10 ms
    card.read(50 * 60)
    assert card.clock.gaps == 0
    assert abs(card.error_s) < 0.004


def test_one_late_read_is_no_gap_and_moves_the_clock_by_microseconds() -> None:
    card = Card(SampleClock(RATE))
    card.read(3000)
    before = card.clock.drift_ppm
    card.late = lambda: 0.5
    card.read(1)
    card.late = lambda: 0.0
    assert abs(card.error_s) < 50e-6
    card.read(200)
    assert card.clock.gaps == 0
    assert card.clock.drift_ppm == pytest.approx(before, abs=5)
    assert abs(card.error_s) < 100e-6


def test_a_burst_after_a_stall_of_the_reader_is_no_gap() -> None:
    card = Card(SampleClock(RATE))
    card.read(3000)
    for behind in range(20, -1, -1):  # 400 ms in one go
        card.late = lambda behind=behind: behind * 0.02  # type: ignore[misc]
        card.read(1)
    card.read(100)
    assert card.clock.gaps == 0
    assert abs(card.error_s) < 0.001


def test_the_rate_never_leaves_two_per_mille_of_nominal() -> None:
    card = Card(SampleClock(RATE), 40_000)
    for _ in range(5000):
        card.read(1)
        assert abs(card.clock.drift_ppm) <= 2005


def test_a_read_that_brought_nothing_changes_nothing() -> None:
    card = Card(SampleClock(RATE))
    card.read(500)
    before = card.clock.now
    card.clock.observe(START_S + 11, card.samples)
    assert card.clock.now == before


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(0, 20_000)), max_size=200))
def test_any_times_and_counts_leave_a_usable_clock(steps: list[tuple[float, int]]) -> None:
    clock = SampleClock(RATE)
    now_s, samples = 100.0, 0
    for later_s, more in steps:
        now_s += later_s
        samples += more
        clock.observe(now_s, samples)
        assert clock.now is not None
        assert abs(clock.drift_ppm) <= 2005
        assert abs(clock.now.time_of(samples)) < 1e6
        assert clock.now.time_of(samples + 160) > clock.now.time_of(samples)


def test_a_gap_that_nobody_reported_leaves_the_rate_as_it_was() -> None:
    card = Card(SampleClock(RATE), 120)
    card.read(500)
    before_ppm = card.clock.drift_ppm
    card.lost += 4000
    while card.clock.gaps == 0:
        card.read(1)
    assert card.clock.drift_ppm == pytest.approx(before_ppm, abs=3)
