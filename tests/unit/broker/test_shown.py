"""What operators read: tables that fit, texts that a terminal does not act on, times."""

from __future__ import annotations

import pytest

from ingestd.broker.command.shown import ago, printable, table, utc, without_year


def test_a_table_without_bounds_is_whole() -> None:
    assert table(("A", "LONGER"), [("x" * 30, "1"), ("", "22")], None) == [
        f"{'A':30}  LONGER",
        f"{'x' * 30}  1",
        f"{'-':30}  22",
    ]


def test_the_widest_is_cut_and_says_so() -> None:
    assert table(("A", "B"), [("x" * 30, "y" * 12)], 32) == [f"{'A':18}  B", f"{'x' * 17}…  {'y' * 12}"]


def test_what_may_be_cut_first_is() -> None:
    (_, row) = table(("A", "B"), [("x" * 20, "y" * 30)], 42, order=((0,),))
    assert row == f"{'x' * 9}…  {'y' * 30}"
    (_, row) = table(("A", "B"), [("x" * 20, "y" * 30)], 30, order=((0,),))
    assert row == f"{'x' * 7}…  {'y' * 19}…"


def test_one_after_another_is_cut() -> None:
    (_, row) = table(("A", "B", "C"), [("x" * 20, "y" * 20, "z" * 20)], 44, order=((2,), (1,)))
    assert row == f"{'x' * 20}  {'y' * 11}…  {'z' * 7}…"


def test_a_narrow_terminal_is_not_told_the_year() -> None:
    rows = [("2026-11-23 11:30:00", "a"), ("-", "b")]
    assert without_year(rows, 109) == [("11-23 11:30:00", "a"), ("-", "b")]
    assert without_year(rows, 110) == without_year(rows, None) == rows


def test_no_cell_is_cut_to_nothing() -> None:
    assert table(("A", "B"), [("x" * 30, "y" * 30)], 3) == [f"{'A':8}  B", f"{'x' * 7}…  {'y' * 7}…"]


def test_no_title_is_cut() -> None:
    assert table(("A" * 12, "B"), [("x" * 30, "y" * 30)], 3)[0] == f"{'A' * 12}  B"


def test_wide_letters_take_two_columns() -> None:
    assert table(("A", "B"), [("東京" * 10, "b"), ("e\u0301" * 3, "b")], 20) == [
        f"{'A':17}  B",
        "東京東京東京東京…  b",
        "e\u0301" * 3 + " " * 14 + "  b",
    ]


@pytest.mark.parametrize("text", ["\x1b[2J", "a\r\nb", "\x07", "\u202e", "\udc80", "\x9b"])
def test_nothing_that_a_terminal_acts_on_comes_through(text: str) -> None:
    assert printable(text).isprintable()
    (_, row) = table(("A",), [(text,)], 80)
    assert row.isprintable()


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (86_399, "23 h"),
        (864_000, "10 d"),
    ],
)
def test_how_long_ago(seconds: int, told: str) -> None:
    assert ago(1_000_000, 1000 + seconds) == f"{told} ago"


def test_a_time_is_in_utc() -> None:
    assert utc(1_795_433_400_999) == "2026-11-23 11:30:00"
    assert utc(None) == "-"
