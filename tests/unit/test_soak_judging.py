"""What a soak makes of its records, on records that somebody made up."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.soak.judging import (
    availability_percent,
    doubled,
    late,
    leaks,
    medians_of_fifths,
    memory_growth_kib,
    percentile,
    recovered_s,
)


def media(begin_s: float, end_s: float) -> NDArray[np.float64]:
    """A frame every 20 ms."""
    return np.arange(begin_s, end_s, 0.02, dtype=np.float64)


def test_recovery_is_the_first_frame_of_a_session_that_stays() -> None:
    calls = [media(0.0, 10.05), media(10.7, 12.0), media(14.0, 30.0)]
    assert recovered_s(calls, 10.0) == pytest.approx(14.0)


def test_a_session_that_goes_on_after_a_dead_link_has_recovered() -> None:
    calls = [np.concatenate((media(0.0, 10.0), media(14.3, 30.0)))]
    assert recovered_s(calls, 14.0) == pytest.approx(14.3)


def test_what_never_stopped_has_recovered_at_once() -> None:
    assert recovered_s([media(0.0, 30.0)], 10.0) == pytest.approx(10.0, abs=0.02)


def test_too_early_to_say() -> None:
    calls = [media(0.0, 10.0), media(11.0, 13.9)]
    assert recovered_s(calls, 10.5) is None
    assert recovered_s([], 0.0) is None


def test_the_earlier_one_counts_where_two_sessions_overlap() -> None:
    assert recovered_s([media(10.0, 20.0), media(11.0, 20.0)], 5.0) == pytest.approx(10.0)


def test_a_gap_below_a_second_counts_as_there() -> None:
    arrivals = np.concatenate((media(0.0, 10.0), media(10.9, 20.0)))
    assert availability_percent(arrivals, 0.0, 20.0) == 100.0


def test_a_longer_gap_counts_whole() -> None:
    arrivals = np.concatenate((media(0.0, 10.0), media(15.0, 20.0)))
    assert availability_percent(arrivals, 0.0, 20.0) == pytest.approx(75.0, abs=0.2)


def test_silence_to_the_end_and_from_the_start_is_unavailable() -> None:
    assert availability_percent(media(0.0, 10.0), 0.0, 20.0) == pytest.approx(50.0, abs=0.2)
    assert availability_percent(media(10.0, 20.0), 0.0, 20.0) == pytest.approx(50.0, abs=0.2)
    assert availability_percent(np.zeros(0), 0.0, 20.0) == 0.0


def test_percentiles_are_values_that_occurred() -> None:
    values = [float(value) for value in range(1, 101)]
    assert percentile(values, 50) == 50.0
    assert percentile(values, 95) == 95.0
    assert percentile([3.0], 95) == 3.0
    assert math.isinf(percentile([1.0, math.inf], 95))
    assert math.isnan(percentile([], 50))


def test_memory_that_grows_is_seen_and_a_spike_is_not() -> None:
    minute = 60
    steady = [(float(at_s), 1000 * 1024) for at_s in range(20 * minute)]
    grown = [(at_s, held + (200 * 1024 if at_s > 16 * minute else 0)) for at_s, held in steady]
    spike = [(at_s, held + (9000 * 1024 if at_s == 1100 else 0)) for at_s, held in steady]
    assert memory_growth_kib(steady, 0.0, 20.0 * minute) == 0.0
    assert memory_growth_kib(grown, 0.0, 20.0 * minute) == 200.0
    assert memory_growth_kib(spike, 0.0, 20.0 * minute) == 0.0


def test_memory_of_the_first_minute_is_no_measure() -> None:
    samples = [(float(at_s), 500 * 1024 if at_s < 60 else 1000 * 1024) for at_s in range(600)]
    assert memory_growth_kib(samples, 0.0, 600.0) == 0.0


def test_a_run_without_those_minutes_says_nothing_of_memory() -> None:
    samples = [(float(at_s), 1024) for at_s in range(180)]
    assert math.isnan(memory_growth_kib(samples, 0.0, 180.0))
    assert math.isnan(memory_growth_kib([], 0.0, 600.0))


def test_a_frame_that_came_twice_is_counted_and_silence_is_not() -> None:
    assert doubled(np.array([1, 2, 3, 0, 0, -1, -1])) == 0
    assert doubled(np.array([1, 2, 2, 3, 0, 0, 2])) == 2


def test_fifths_show_a_trend() -> None:
    samples = [(float(at_s), at_s // 20) for at_s in range(100)]
    assert medians_of_fifths(samples, 0.0, 100.0) == [0, 1, 2, 3, 4]
    assert math.isnan(medians_of_fifths(samples, 0.0, 1000.0)[-1])


def test_frames_are_late_against_the_quickest_and_silence_is_no_frame() -> None:
    numbers = np.array([1, 2, 0, 4, 5])
    times_s = np.array([10.02, 10.04, 99.0, 10.08, 12.1])
    assert late(times_s, numbers, 1.0) == 1
    assert late(times_s[:4], numbers[:4], 1.0) == 0
    assert late(np.zeros(0), np.zeros(0, np.int64), 1.0) == 0


HEAD = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
TOKEN = f"{HEAD}.eyJhcGlrZXkiOiJub3RhcmVhbGtleSJ9.c2lnbmF0dXJlc2lnbmF0dXJl"


def test_a_token_is_found_whole_and_in_part() -> None:
    assert len(leaks([f"401 for Bearer {TOKEN}: expired"], [TOKEN])) == 2
    assert len(leaks(["signature c2lnbmF0dXJlc2lnbmF0dXJl"], [TOKEN])) == 1
    assert len(leaks(["a plain secret of one part: 0123456789abcdef"], ["0123456789abcdef"])) == 1


def test_a_ref_is_found_wherever_it_stands() -> None:
    assert leaks(["connecting to wss://room/videosdk?ref=vs_0123456789abcdef0123"], [TOKEN])
    assert leaks(["fine", '{"reason": "vs_0123456789abcdef0123 was used"}'], [])


def test_what_is_no_secret_is_not_found() -> None:
    assert not leaks([f"WARNING the token is refused; see /etc/ingestd/token {HEAD} ref=…"], [TOKEN])
