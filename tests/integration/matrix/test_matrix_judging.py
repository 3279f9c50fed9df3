"""The judges of the matrix find what they look for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pytest

from tests.integration.matrix.device import LogLine, Since
from tests.integration.matrix.judging import longest_gap_s, no_secret_told, told_once
from tests.integration.matrix.site import Site

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJhcGlrZXkiOiJrIn0.c2lnbmF0dXJl"


@dataclass
class Said:
    """What a device might have said."""

    said: str = ""
    lines: list[LogLine] = field(default_factory=list)

    @property
    def log(self) -> str:
        return "\n".join(line.text for line in self.lines)

    @property
    def warned(self) -> list[str]:
        return [line.text for line in self.lines if line.level == "WARNING"]


@dataclass
class Tokens:
    """A site as far as the judge looks at it."""

    tokens: list[str]


def judge(said: str, *more: str) -> None:
    no_secret_told(cast(Since, Said(said)), None, cast(Site, Tokens([TOKEN])), *more)


def test_no_secret_is_no_news() -> None:
    judge("streaming: connected", "gl0wing")


@pytest.mark.parametrize(
    "said", [TOKEN, "…" + TOKEN[-12:], "vs_0123456789abcdef0123", "wss://host/videosdk?ref=x", "device:gl0wing@proxy"]
)
def test_a_secret_is_found(said: str) -> None:
    with pytest.raises(AssertionError, match="told"):
        judge(f"before {said} after", "gl0wing")


def once(*lines: Any) -> None:
    told_once(cast(Since, Said(lines=[LogLine(*line) for line in lines])))


def test_what_is_told_twice_is_found_but_for_debug_lines() -> None:
    once(("WARNING", "a"), ("WARNING", "b"), ("DEBUG", "a"), ("DEBUG", "a"))
    with pytest.raises(AssertionError, match="more than once"):
        once(("WARNING", "a"), ("WARNING", "a"))


@pytest.mark.parametrize("line", [("CRITICAL", "the attempt failed"), ("", "Traceback (most recent call last):")])
def test_a_bug_of_ours_is_found(line: tuple[str, str]) -> None:
    with pytest.raises(AssertionError):
        once(line)


def test_a_gap_is_what_no_session_brought() -> None:
    first, second = range(1, 60), range(55, 100)
    whole = np.array([*first, 0, -1, *second])
    assert longest_gap_s(whole, 40) == 0.0
    assert longest_gap_s(whole[(whole < 57) | (whole > 80)], 40) == pytest.approx(0.02 * (80 - 56))
    assert longest_gap_s(whole[(whole < 30) | (whole >= 40)], 40) == 0.0, "before"
    assert longest_gap_s(whole[::-1], 40) == 0.0, "in whatever order they came"
