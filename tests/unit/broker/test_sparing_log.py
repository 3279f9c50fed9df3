"""What strangers can cause is told, but not without end."""

from __future__ import annotations

import logging

import pytest

from ingestd.broker.allowance import Allowance
from ingestd.broker.sparing_log import SparingLog


def test_an_allowance_grows_back_one_by_one() -> None:
    allowance = Allowance(2, 5.0)
    assert [allowance.take(0) for _ in range(4)] == [True, True, False, False]
    assert allowance.next_s() == 5.0
    assert not allowance.take(4.0)
    assert allowance.next_s() == pytest.approx(1.0)
    assert allowance.take(5.0)
    assert not allowance.take(5.0)


def test_an_allowance_grows_to_its_most_and_no_further() -> None:
    allowance = Allowance(2, 5.0)
    assert [allowance.take(1000) for _ in range(3)] == [True, True, False]
    assert [allowance.take(9000) for _ in range(3)] == [True, True, False]
    assert allowance.next_s() == 5.0


def test_a_clock_that_goes_back_gives_nothing_and_takes_nothing() -> None:
    allowance = Allowance(1, 5.0)
    assert allowance.take(100)
    assert not allowance.take(50)
    assert allowance.take(55)


def test_a_flood_is_told_ten_times_and_ten_times_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now_s = 0.0
    log = SparingLog(logging.getLogger("flood"), lambda: now_s)
    with caplog.at_level(logging.INFO, "flood"):
        for number in range(6000):
            now_s = number / 50
            log.tell(logging.WARNING, f"line {number}")
    assert 29 <= len(caplog.records) <= 30
    assert [record.getMessage() for record in caplog.records[:10]] == [f"line {number}" for number in range(10)]
    left_out = [int(one.getMessage().split("; ")[1].split()[0]) for one in caplog.records[10:]]
    last = int(caplog.records[-1].getMessage().split("; ")[0].split()[1])
    assert len(caplog.records) + sum(left_out) == last + 1


def test_what_comes_seldom_is_told_each_time_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    now_s = 0.0
    log = SparingLog(logging.getLogger("seldom"), lambda: now_s)
    for _ in range(20):
        now_s += 6.0
        log.tell(logging.WARNING, "50 % of it")
    assert {record.getMessage() for record in caplog.records} == {"50 % of it"}
    assert len(caplog.records) == 20
