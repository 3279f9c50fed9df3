"""Renewals and ends of calls, by time alone."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.core.calllimits import CallLimits

T = 5000.0
DAY_S = 86400.0


def limits(
    max_age_s: float | None = None,
    max_call_s: float | None = None,
    alone_s: float | None = None,
    drawn: float = 0.0,
) -> CallLimits:
    return CallLimits(max_age_s, max_call_s, alone_s, lambda: drawn)


def test_without_limits_nothing_ever_ends() -> None:
    none = limits()
    assert none.renew(T, T + 365 * DAY_S) is None
    assert none.over(T, T, T + 365 * DAY_S) is None


def test_a_session_is_renewed_at_its_age_or_up_to_a_tenth_earlier() -> None:
    for drawn, due_s in ((0.0, 3600), (0.5, 3420), (0.999999, 3240.1)):
        bounded = limits(3600, drawn=drawn)
        assert bounded.renew(T, T + due_s - 0.1) is None
        assert bounded.renew(T, T + due_s) is not None


def test_a_new_session_has_its_whole_age_before_it() -> None:
    bounded = limits(3600)
    assert bounded.renew(T, T + 3600) is not None
    assert bounded.renew(T + 3600, T + 3601) is None


def test_a_call_ends_by_its_length_whatever_was_renewed() -> None:
    bounded = limits(max_age_s=100, max_call_s=600)
    assert bounded.over(T, None, T + 599.9) is None
    assert bounded.over(T, None, T + 600) is not None


def test_a_call_ends_when_the_device_was_alone_for_long_enough() -> None:
    bounded = limits(alone_s=60)
    assert bounded.over(T, None, T + DAY_S) is None
    assert bounded.over(T, T + 100, T + 159.9) is None
    assert bounded.over(T, T + 100, T + 160) is not None


def test_the_reasons_name_the_key_the_figure_and_the_limit() -> None:
    bounded = limits(3600, 600.5, 60)
    assert bounded.renew(T, T + 3601) == "the session is 3601 s old and session.max_age_s is 3600: renewing it"
    assert bounded.over(T, None, T + 700) == "the call has lasted 700 s and session.max_call_s is 600.5"
    assert bounded.over(T, T, T + 61) == "alone in the room for 61 s and session.hangup_when_alone_s is 60"


def test_a_change_holds_at_once_for_what_is_under_way() -> None:
    bounded = limits(3600, 3600, 3600)
    assert (bounded.renew(T, T + 100), bounded.over(T, T, T + 100)) == (None, None)
    bounded.change(50, None, None)
    assert bounded.renew(T, T + 100) is not None
    assert bounded.over(T, T, T + 100) is None
    bounded.change(None, 50, None)
    assert bounded.renew(T, T + 100) is None
    assert "max_call_s" in (bounded.over(T, T, T + 100) or "")
    bounded.change(None, None, 50)
    assert "alone" in (bounded.over(T, T, T + 100) or "")


def test_a_fleet_that_connected_as_one_does_not_renew_as_one() -> None:
    draw = random.Random(3).random
    fleet = [CallLimits(3600, None, None, draw) for _ in range(4000)]
    due = [sum(one.renew(T, T + age_s) is not None for one in fleet) for age_s in range(3240, 3601, 36)]
    each = [later - sooner for sooner, later in pairwise(due)]
    assert due[0] == 0
    assert due[-1] == 4000
    assert max(each) < 500, "4000 devices over ten stretches"


@given(st.floats(1, 1e6), st.floats(0, 0.999), st.lists(st.floats(0, 2e6), max_size=20))
def test_the_same_times_have_the_same_answer_and_it_never_goes_back(
    max_age_s: float, drawn: float, ages: list[float]
) -> None:
    bounded = limits(max_age_s, drawn=drawn)
    answers = [bounded.renew(0.0, age_s) is not None for age_s in sorted(ages)]
    assert answers == sorted(answers)
    assert answers == [bounded.renew(0.0, age_s) is not None for age_s in sorted(ages)]
    assert all(0.9 * max_age_s <= age_s for age_s, due in zip(sorted(ages), answers, strict=True) if due)


@pytest.mark.parametrize("limit_s", [1, 0.5, 31_536_000])
def test_the_smallest_and_the_largest_limit_work(limit_s: float) -> None:
    bounded = limits(limit_s, limit_s, limit_s)
    assert bounded.over(T, T, T + limit_s * 0.99) is None
    assert bounded.over(T, T, T + limit_s) is not None
