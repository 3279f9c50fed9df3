"""Retry-After in both of its forms."""

from __future__ import annotations

import pytest

from ingestd.core.retry_after import retry_after_s

THEN = "Sat, 01 Jan 2000 00:00:00 GMT"


@pytest.mark.parametrize(
    ("value", "wait_s"),
    [("0", 0.0), (" 12 ", 12.0), ("3600", 3600.0), ("3601", 3600.0), ("9" * 400, 3600.0),
     ("", None), ("-1", None), ("1.5", None), ("1e3", None), ("soon", None), ("\u0663", None), ("12, 13", None)],
)  # fmt: skip
def test_seconds(value: str, wait_s: float | None) -> None:
    assert retry_after_s(value, THEN) == wait_s
    assert retry_after_s(value, None) == wait_s


@pytest.mark.parametrize(
    ("value", "wait_s"),
    [
        ("Sat, 01 Jan 2000 00:00:30 GMT", 30.0),
        ("Saturday, 01-Jan-00 00:00:30 GMT", 30.0),
        ("Sat Jan  1 00:00:30 2000", 30.0),
        ("Sat, 01 Jan 2000 01:00:30 +0100", 30.0),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 0.0),
        ("Sun, 02 Jan 2000 00:00:00 GMT", 3600.0),
        ("Sat, 99 Jan 2000 00:00:00 GMT", None),
        ("Sat, 01 Jan 99999999999999999999 00:00:00 GMT", None),
    ],
)
def test_a_date_counts_from_the_answers_own_date(value: str, wait_s: float | None) -> None:
    assert retry_after_s(value, THEN) == wait_s


def test_a_date_without_another_to_count_from_says_nothing() -> None:
    for date in (None, "", "today"):
        assert retry_after_s("Sat, 01 Jan 2000 00:00:30 GMT", date) is None


def test_an_answer_without_it_asks_for_nothing() -> None:
    assert retry_after_s(None, THEN) is None
