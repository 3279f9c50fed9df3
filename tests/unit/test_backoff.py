"""Waits between attempts."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from ingestd.core.backoff import Backoff
from ingestd.core.times import DEFAULT


def ceilings(backoff: Backoff, count: int) -> list[float]:
    return [backoff.next_s() for _ in range(count)]


def test_the_ceiling_doubles_up_to_the_cap() -> None:
    assert ceilings(Backoff(lambda: 1.0), 10) == [0.5, 1, 2, 4, 8, 16, 32, 58, 58, 58]


def test_the_jitter_is_full() -> None:
    assert ceilings(Backoff(lambda: 0.0), 10) == [0.0] * 10
    assert ceilings(Backoff(lambda: 0.25), 4) == [0.125, 0.25, 0.5, 1.0]


@given(st.integers(0, 2**32), st.floats(0.01, 5), st.floats(5, 600))
def test_every_wait_is_between_zero_and_its_ceiling(seed: int, base_s: float, cap_s: float) -> None:
    backoff = Backoff(random.Random(seed).random, base_s, cap_s)
    for attempt in range(40):
        assert 0.0 <= backoff.next_s() <= min(cap_s, base_s * 2**attempt)


def test_waits_of_a_fleet_are_spread_evenly() -> None:
    draw = random.Random(7).random
    waits = []
    for _ in range(4000):
        backoff = Backoff(draw)
        ceilings(backoff, 9)
        waits.append(backoff.next_s())
    for tenth in range(10):
        width_s = DEFAULT.backoff_cap_s / 10
        share = sum(tenth * width_s <= wait < (tenth + 1) * width_s for wait in waits)
        assert 300 < share < 500


def test_a_reset_starts_from_the_base() -> None:
    backoff = Backoff(lambda: 1.0)
    ceilings(backoff, 20)
    assert backoff.attempts == 20
    backoff.reset()
    assert backoff.attempts == 0
    assert backoff.next_s() == DEFAULT.backoff_base_s


def test_a_million_attempts_overflow_nothing() -> None:
    backoff = Backoff(lambda: 1.0)
    assert set(ceilings(backoff, 1_000_000)[10:]) == {DEFAULT.backoff_cap_s}
    assert backoff.attempts == 1_000_000


def test_what_an_attempt_took_counts_against_the_cap_and_not_against_the_jitter() -> None:
    backoff = Backoff(lambda: 1.0)
    assert [backoff.next_s(10.0) for _ in range(9)] == [0.5, 1, 2, 4, 8, 16, 32, 48, 48]
    assert Backoff(lambda: 1.0).next_s(100.0) == 0.0
