"""The clock by itself, and against the backend's."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from ingestd.core.check import Verdict
from ingestd.doctor.clock import against_server, clock

NOW = 1_800_000_000.0


def test_a_clock_in_the_past_is_named() -> None:
    (check,) = clock(86400.0)
    assert check.verdict is Verdict.FAILED
    assert "1970-01-02" in check.what
    assert "NTP" in check.remedy
    assert next(iter(clock(NOW))).verdict is not Verdict.FAILED


@pytest.mark.parametrize(
    ("ahead_s", "verdict", "words"),
    [
        (0, Verdict.OK, "within 1 s"),
        (-20, Verdict.OK, "within 20 s"),
        (120, Verdict.WARNING, "2 minutes behind backend.example"),
        (-7200, Verdict.FAILED, "2 hours ahead of backend.example"),
        (86400 * 365, Verdict.FAILED, "365 days behind"),
    ],
)
def test_it_is_held_against_the_backends(ahead_s: float, verdict: Verdict, words: str) -> None:
    check = against_server(formatdate(NOW + ahead_s, usegmt=True), NOW, "backend.example")
    assert check.verdict is verdict
    assert words in check.what
    assert bool(check.remedy) == (verdict is not Verdict.OK)


@pytest.mark.parametrize("date", [None, "", "yesterday", "Mon, 99 Jan 2026 00:00:00 GMT"])
def test_a_backend_that_does_not_tell_the_time_is_no_fault(date: str | None) -> None:
    check = against_server(date, NOW, "backend.example")
    assert (check.verdict, check.what) == (Verdict.OK, "backend.example does not tell the time")
