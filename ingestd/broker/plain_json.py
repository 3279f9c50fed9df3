"""JSON from outside: read within limits, and with nothing in it that a database or another reader chokes on. Pure."""

from __future__ import annotations

import json
import math
from typing import Any, Final, NoReturn

DEEPEST: Final = 32
"""Objects and lists within each other."""


def read(body: bytes) -> Any:
    """The value in `body`. Raises ValueError, whose text completes the sentence "The body …"."""
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_no_number, parse_float=_finite)
    except RecursionError:
        raise ValueError(f"is nested deeper than {DEEPEST} levels") from None
    except ValueError:  # no UTF-8, no JSON, a number without end
        raise ValueError("is not JSON") from None
    if (problem := problem_of(value)) is not None:
        raise ValueError(problem)
    return value


def problem_of(value: Any) -> str | None:
    """What keeps a value from being passed on as JSON, as in "it …"; None where nothing does."""
    waiting: list[tuple[Any, int]] = [(value, 1)]
    while waiting:
        one, depth = waiting.pop()
        match one:
            case str():
                if (problem := _of_text(one)) is not None:
                    return problem
            case float():
                if not math.isfinite(one):
                    return "has a number that JSON does not know"
            case dict() | list() if depth > DEEPEST:
                return f"is nested deeper than {DEEPEST} levels"
            case dict():
                waiting.extend((part, depth + 1) for pair in one.items() for part in pair)
            case list():
                waiting.extend((part, depth + 1) for part in one)
            case _:
                pass
    return None


def _of_text(text: str) -> str | None:
    if "\0" in text:
        return "has a NUL character in it"
    # Half of a surrogate pair: no UTF-8 can carry it.
    return "has half a character in it" if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text) else None


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(digits)
    return number


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)
