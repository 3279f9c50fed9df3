"""A level meter of one line: a bar in dB of full scale, with the held peak. Pure.

The daemon's own meters hold what a picture needs: a level over 0.3 s and a peak held for a second (`core.level`), so
that nothing is missed between two looks.
"""

from __future__ import annotations

from typing import Final

from ingestd.ctl.paint import Line, Span, Style, line
from ingestd.ctl.words import dbfs, rounded

LOWEST_DBFS: Final = -60.0
_WARM_DBFS: Final = -18.0
_HOT_DBFS: Final = -6.0
_MARKS_DBFS: Final = (-60, -40, -20, 0)
_VALUE_COLUMNS: Final = 14
_PEAK_COLUMNS: Final = 13
_LEAST_BAR_COLUMNS: Final = 8


def meter(level_dbfs: float, peak_dbfs: float, columns: int, live: bool = True) -> Line:
    """The bar and what it says in numbers, in at most so many columns. Not `live`: without its colours."""
    bar = bar_columns(columns)
    filled = _cells(level_dbfs, bar)
    peak = _cells(peak_dbfs, bar) - 1
    spans: list[Span] = []
    for cell in range(bar):
        dbfs_here = LOWEST_DBFS * (1 - (cell + 0.5) / bar)
        colour = Style.GOOD if dbfs_here < _WARM_DBFS else Style.DOUBTFUL if dbfs_here < _HOT_DBFS else Style.BAD
        colour = colour if live else Style.FAINT
        if cell < filled:
            mark, style = "█", colour
        elif cell == peak:
            mark, style = "│", colour
        else:
            mark, style = "░", Style.FAINT
        if spans and spans[-1].style is style:
            spans[-1] = Span(spans[-1].text + mark, style)
        else:
            spans.append(Span(mark, style))
    value = dbfs(level_dbfs).rjust(_VALUE_COLUMNS)
    held = f"  peak {rounded(peak_dbfs)}".ljust(_PEAK_COLUMNS) if peak_dbfs > LOWEST_DBFS else " " * _PEAK_COLUMNS
    if columns < bar + _VALUE_COLUMNS + _PEAK_COLUMNS:
        held = ""
    return line(*spans, Span(value), Span(held, Style.FAINT))


def scale(columns: int, indent: int) -> Line:
    """What stands under the bars of meters that begin after `indent` columns and end with the line."""
    bar = bar_columns(columns - indent)
    text = ""
    for mark in _MARKS_DBFS:
        shown = str(mark)
        at = round((bar - 1) * (1 - mark / LOWEST_DBFS))
        at = max(0, min(bar - len(shown), at - len(shown) // 2))
        text = text.ljust(at) + shown if at > len(text) or not text else text
    return line(" " * indent, Span(text, Style.FAINT))


def bar_columns(columns: int) -> int:
    """How much of a line the bar itself takes."""
    spare = columns - _VALUE_COLUMNS
    return max(_LEAST_BAR_COLUMNS, spare - _PEAK_COLUMNS if spare >= _PEAK_COLUMNS + 2 * _LEAST_BAR_COLUMNS else spare)


def _cells(level: float, bar: int) -> int:
    return max(0, min(bar, round(bar * (1 - level / LOWEST_DBFS))))
