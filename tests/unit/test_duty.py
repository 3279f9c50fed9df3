"""A thread's share of the time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.core.duty import Duty


def worked_share(duty: Duty, each_s: float, until_s: float) -> float:
    """Of a thread that has work without end, in pieces of that length."""
    now, worked_s = 0.0, 0.0
    while now < until_s:
        now += each_s
        worked_s += each_s
        now += duty.pause_s(now, each_s)
    return worked_s / now


def test_a_few_requests_are_answered_without_a_pause() -> None:
    duty = Duty(0.2, 0.05)
    assert [duty.pause_s(number * 0.001, 0.001) for number in range(40)] == [0.0] * 40


@pytest.mark.parametrize("each_s", [0.000_03, 0.001, 0.03])
def test_a_flood_gets_its_share_and_no_more(each_s: float) -> None:
    assert worked_share(Duty(0.2, 0.05), each_s, 20.0) == pytest.approx(0.2, abs=0.005)


def test_what_was_not_used_is_kept_but_not_for_ever() -> None:
    duty = Duty(0.2, 0.05, 10.0)
    assert duty.pause_s(0.0, 0.05) == 0.0
    assert duty.pause_s(0.05, 0.05) == pytest.approx(0.2)
    assert duty.pause_s(3600.0, 0.05) == 0.0
    assert duty.pause_s(3600.0, 0.01) == pytest.approx(0.05)


def test_one_long_piece_of_work_is_not_held_against_it_for_long() -> None:
    duty = Duty(0.2, 0.05, 0.25)
    assert duty.pause_s(60.0, 60.0) == pytest.approx(0.25)
    assert duty.pause_s(60.25, 0.0) == pytest.approx(0.0)


@given(st.lists(st.tuples(st.floats(0.0, 10.0), st.floats(0.0, 10.0)), max_size=30))
def test_no_pause_is_negative_or_longer_than_the_longest(steps: list[tuple[float, float]]) -> None:
    duty, now = Duty(0.2, 0.05, 0.25), 0.0
    for idle_s, worked_s in steps:
        now += idle_s + worked_s
        assert 0.0 <= duty.pause_s(now, worked_s) <= 0.25 + 1e-9
