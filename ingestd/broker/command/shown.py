"""What an operator writes and reads: numbers, tables, times, and a word beside the output."""

from __future__ import annotations

import argparse
import shutil
import sys
import unicodedata
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

NOTHING: Final = "-"
_GAP: Final = "  "
_WIDE_COLUMNS: Final = 110
_YEAR_CHARS: Final = len("2026-")
_LEAST: Final = 8
"""Columns that a cell keeps, however narrow the terminal, or its title's where that is longer."""


def printable(text: str) -> str:
    """A stranger's text in one line: what a terminal would act on is shown as ?."""
    return "".join(char if char.isprintable() else "?" for char in text)


def say(text: str) -> None:
    """A line for the person, on standard error: standard output may go into a file or another program."""
    sys.stderr.write(f"{text}\n")


def whole_number(most: int, least: int = 1) -> Callable[[str], int]:
    """For argparse: reads a whole number from `least`, 0 or more, to `most`."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most)) and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"give a whole number from {least} to {most}")
        return int(text)

    return read


def screen_columns() -> int | None:
    """How wide the terminal is; None where the output is none, so that nothing is to be cut."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def table(
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    columns: int | None,
    order: Sequence[Sequence[int]] = (),
) -> list[str]:
    """The lines of a table. Where it is wider than `columns`, the widest cells are cut, and end in '…'.

    `order` has the places of those that are cut before any other, one group after the next.
    """
    cells = [[printable(text) or NOTHING for text in row] for row in (titles, *rows)]
    widths = [max(map(_columns_of, column)) for column in zip(*cells, strict=True)]
    if columns is not None:
        least = [max(_LEAST, _columns_of(title)) for title in titles]
        room = columns - len(_GAP) * (len(widths) - 1)
        for places in (*order, range(len(widths))):
            _narrow(widths, room, places, least)
    return [_GAP.join(_filled(text, width) for text, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def utc(time_ms: int | None) -> str:
    """A time for people, in UTC; NOTHING for none."""
    return NOTHING if time_ms is None else f"{datetime.fromtimestamp(time_ms // 1000, UTC):%Y-%m-%d %H:%M:%S}"


def without_year(rows: Sequence[Sequence[str]], columns: int | None) -> list[tuple[str, ...]]:
    """The rows, whose first cell is `utc`, with the year left out where it would cost the minutes."""
    if columns is None or columns >= _WIDE_COLUMNS:
        return [tuple(row) for row in rows]
    return [(when if when == NOTHING else when[_YEAR_CHARS:], *rest) for when, *rest in rows]


def ago(time_ms: int, now_s: float) -> str:
    """How long ago that was, in its largest unit: '3 min ago'."""
    seconds = max(0, int(now_s - time_ms / 1000))
    for unit, unit_s in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= unit_s:
            return f"{seconds // unit_s} {unit} ago"
    return f"{seconds} s ago"


def _narrow(widths: list[int], room: int, places: Sequence[int], least: Sequence[int]) -> None:
    while sum(widths) > room:
        widest = max((one for one in places if widths[one] > least[one]), key=widths.__getitem__, default=None)
        if widest is None:
            return
        widths[widest] -= 1


def _filled(text: str, width: int) -> str:
    if _columns_of(text) > width:
        while _columns_of(text) >= width:
            text = text[:-1]
        text += "…"
    return text + " " * (width - _columns_of(text))


def _columns_of(text: str) -> int:
    """None for what combines with the letter before, two for wide letters."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )
