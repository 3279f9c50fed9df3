"""Percentiles in fixed memory."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.core.histogram import Histogram

durations = st.lists(st.floats(0.1, 8000), min_size=1, max_size=200)


def filled(values: list[float]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.add_ms(value)
    return histogram


def exact(values: list[float], percent: float) -> float:
    """The nearest-rank percentile."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


@given(durations, st.sampled_from([1, 25, 50, 90, 95, 99, 100]))
def test_percentiles_are_right_to_a_quarter_and_never_too_low(values: list[float], percent: float) -> None:
    shown = filled(values).percentile_ms(percent)
    true = exact(values, percent)
    assert true * (1 - 1e-9) <= shown <= true * 1.25 * (1 + 1e-9)


@given(durations)
def test_the_maximum_is_exact_and_the_last_percentile(values: list[float]) -> None:
    histogram = filled(values)
    assert histogram.max_ms == max(values)
    assert histogram.percentile_ms(100) == max(values)


@given(durations)
def test_percentiles_grow(values: list[float]) -> None:
    histogram = filled(values)
    shown = [histogram.percentile_ms(percent) for percent in range(1, 101)]
    assert shown == sorted(shown)


def test_nothing_counted_shows_nothing() -> None:
    assert [Histogram().percentile_ms(percent) for percent in (0, 50, 100)] == [0.0, 0.0, 0.0]
    assert Histogram().max_ms == 0.0


@pytest.mark.parametrize("value", [-3.0, 0.0, 1e-9, 1e5, 1e30, math.inf])
def test_a_value_beyond_the_edges_is_counted_at_the_edge(value: float) -> None:
    histogram = filled([value, 10.0])
    assert histogram.max_ms == max(value, 10.0)
    assert histogram.percentile_ms(100) == pytest.approx(max(value, 10.0), rel=0.25)
    assert histogram.percentile_ms(50) <= 10.0 * 1.25


def test_memory_does_not_grow() -> None:
    histogram = filled([float(n) for n in range(1000)])
    counts = vars(histogram)["_counts"]
    size = len(counts)
    for n in range(10_000):
        histogram.add_ms(n * 1.7)
    assert len(counts) == size
