"""A clock that is set is told from one that is slow, slewed or merely read late."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.core.clockstep import STEP_S, ClockWatch

WALL = 1_790_000_000.0


def watch(*looks: tuple[float, float]) -> list[float | None]:
    clock = ClockWatch()
    return [clock.stepped(monotonic_s, WALL + wall_s) for monotonic_s, wall_s in looks]


def test_the_first_look_and_steady_clocks_tell_nothing() -> None:
    assert watch((5, 0), (6, 1), (7, 2), (60, 55)) == [None] * 4


@pytest.mark.parametrize("by_s", [86400.0 * 365, 1.5, -1.5, -3600.0])
def test_a_step_is_told_once_and_by_how_much(by_s: float) -> None:
    assert watch((5, 0), (6, 1), (7, 2 + by_s), (8, 3 + by_s)) == [None, None, pytest.approx(by_s), None]


def test_a_leap_second_is_no_step() -> None:
    assert watch((5, 0), (6, 0), (7, 1)) == [None] * 3


def test_a_suspend_counts_as_a_step() -> None:
    assert watch((5, 0), (6, 1), (6.5, 1801.5)) == [None, None, pytest.approx(1800)]


def test_two_steps_are_two() -> None:
    assert watch((5, 0), (6, 11), (7, 2)) == [None, pytest.approx(10), pytest.approx(-10)]


def test_this_machine_s_clocks_are_not_stepped_by_being_read() -> None:
    clock, found = ClockWatch(), set[float | None]()
    for _ in range(1000):
        monotonic_s, wall_s, after_s = time.monotonic(), time.time(), time.monotonic()
        if after_s - monotonic_s < STEP_S / 2:  # else this machine stood still between the two
            found.add(clock.stepped(monotonic_s, wall_s))
    assert found == {None}


@given(st.lists(st.tuples(st.floats(0.0, 3600.0), st.floats(-0.1, 0.1)), max_size=60))
def test_late_looks_and_slow_readings_are_no_step(looks: list[tuple[float, float]]) -> None:
    clock, now = ClockWatch(), 0.0
    for later_s, between_s in looks:
        now += later_s
        assert clock.stepped(now, WALL + now + between_s) is None


@given(st.floats(-1e9, 1e9).filter(lambda by_s: abs(abs(by_s) - STEP_S) > 0.001))
def test_more_than_a_second_is_a_step_and_less_is_none(by_s: float) -> None:
    found = watch((5, 0), (6, 1 + by_s))[1]
    assert (found is not None) == (abs(by_s) > STEP_S)
    assert found is None or found == pytest.approx(by_s, abs=0.001)
