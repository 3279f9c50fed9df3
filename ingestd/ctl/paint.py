"""Styled lines for a terminal: how wide they are, where they break, and what is written for them. Pure."""

from __future__ import annotations

import enum
import unicodedata
from collections.abc import Mapping
from typing import Final, NamedTuple

MOST_CHARS: Final = 400
"""Of one text that somebody else wrote."""
_JOINERS: Final = "\u200c\u200d"
"""Nothing but letters are changed by them (Unicode 23.2): many languages, and emoji, can't be written without."""
_TIE: Final = "\u00a0"
_RESET: Final = "\x1b[0m"
_PLAINER: Final = str.maketrans({"█": "#", "░": ".", "│": "|", "─": "-", "●": "*", "…": "~"})


class Style(enum.Enum):
    """What a text is, by its colour; the value is SGR's parameters (ECMA-48 §8.3.117)."""

    PLAIN = ""
    STRONG = "1"
    FAINT = "2"
    GOOD = "32"
    DOUBTFUL = "33"
    BAD = "1;31"
    LOUD_GOOD = "1;97;42"
    LOUD_DOUBTFUL = "1;30;43"
    LOUD_BAD = "1;97;41"


class Span(NamedTuple):
    """A text in one style, without line breaks."""

    text: str
    style: Style = Style.PLAIN


Line = tuple[Span, ...]


def line(*parts: str | Span) -> Line:
    """A line of spans and plain texts."""
    return tuple(Span(part) if isinstance(part, str) else part for part in parts)


def one_line(text: object, most: int = MOST_CHARS) -> str:
    """A stranger's text: printable, in one line, and no longer than `most` characters."""
    words = " ".join(str(text).split())
    shown = "".join(char if char.isprintable() or char in _JOINERS else "?" for char in words)
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def columns_of(text: str) -> int:
    """How many columns it takes: none for what combines with the letter before, two for wide letters."""
    return sum(map(_columns_of_one, text)) if not text.isascii() else len(text)


def width(of: Line) -> int:
    """The columns of a line."""
    return sum(columns_of(span.text) for span in of)


def clipped(of: Line, columns: int) -> Line:
    """As much of it as fits, the last column telling that there is more."""
    if width(of) <= columns:
        return of
    kept: list[Span] = []
    left = columns - 1
    for span in of:
        text = ""
        for char in span.text:
            left -= _columns_of_one(char)
            if left < 0:
                return (*kept, Span(text, span.style), Span("…"[:columns], Style.FAINT))
            text += char
        kept.append(Span(text, span.style))
    return tuple(kept)


def padded(of: Line, columns: int) -> Line:
    """Clipped or filled with blanks to exactly so many columns."""
    fitting = clipped(of, columns)
    return (*fitting, Span(" " * (columns - width(fitting))))


def tied(text: str) -> str:
    """The same for `wrapped`, which then breaks it nowhere."""
    return text.replace(" ", _TIE)


def wrapped(text: str, columns: int | None) -> list[str]:
    """Broken between words, at least one line; a word that is longer than a line stays whole. None: not at all."""
    lines = [""]
    for word in text.split(" "):
        if not lines[-1]:
            lines[-1] = word
        elif columns is None or columns_of(lines[-1]) + 1 + columns_of(word) <= columns:
            lines[-1] += " " + word
        else:
            lines.append(word)
    return [each.replace(_TIE, " ") for each in lines]


def written(of: Line, colour: bool, unicode: bool = True) -> str:
    """What goes to the terminal, without the line's end; where it is no Unicode terminal, marks of ours are ASCII."""
    spans = [(span.text, span.style.value) for span in of if span.text]
    text = "".join(f"\x1b[{code}m{shown}{_RESET}" if colour and code else shown for shown, code in spans)
    return text if unicode else text.translate(_PLAINER)


def wants_colour(is_terminal: bool, environment: Mapping[str, str]) -> bool:
    """Only on a terminal that can, and where nobody objects (https://no-color.org)."""
    return is_terminal and not environment.get("NO_COLOR") and (environment.get("TERM") or "dumb") != "dumb"


def is_unicode(encoding: str | None) -> bool:
    """Whether the marks of ours can be written in it."""
    try:
        "█░│─●…".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _columns_of_one(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1
