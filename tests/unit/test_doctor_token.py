"""What a token says of itself, and who may read it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from ingestd.core.check import Verdict
from ingestd.core.jwt import dates_of
from ingestd.doctor import files
from ingestd.doctor.jwt import judged, spoken
from ingestd.system.user import User
from tests.unit.doctor_case import by_name, folder_for_all, jwt, situation

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("claims", "verdict", "words"),
    [
        ({"exp": NOW + 86400}, Verdict.OK, "expires in 1 day, at 2027-01-16 08:00:00 UTC"),
        ({"exp": NOW + 600}, Verdict.WARNING, "expires in 10 minutes"),
        ({"exp": NOW}, Verdict.FAILED, "expired 0 seconds ago"),
        ({"exp": NOW - 7200}, Verdict.FAILED, "expired 2 hours ago"),
        ({"exp": NOW + 86400, "nbf": NOW + 600}, Verdict.FAILED, "holds only from"),
        ({"exp": NOW + 86400, "iat": NOW + 600}, Verdict.FAILED, "holds only from"),
        ({"exp": NOW + 86400, "iat": NOW + 5}, Verdict.OK, "expires in 1 day"),
        ({}, Verdict.OK, "does not expire"),
        ({"exp": "soon", "nbf": None, "iat": True}, Verdict.OK, "does not expire"),
        ({"exp": 1e300, "iat": -5, "nbf": float("nan")}, Verdict.OK, "does not expire"),
    ],
)
def test_a_jwt_is_judged_by_its_own_dates(claims: dict[str, object], verdict: Verdict, words: str) -> None:
    check = judged(jwt(**claims), NOW, Path("/etc/token"))
    assert check.verdict is verdict
    assert words in check.what
    assert bool(check.remedy) == (verdict is not Verdict.OK)


@pytest.mark.parametrize("token", ["", "plain", "a.b.c", "e30.e30.x", "eyJhbGciOiIifQ.W10.x", "ä.ö.ü", "..", "e30.e30"])
def test_what_is_no_jwt_is_said_to_be_none(token: str) -> None:
    assert dates_of(token) is None
    assert "no JWT" in judged(token, NOW, Path("/etc/token")).what


def test_spans_are_spoken_in_their_largest_unit() -> None:
    assert [spoken(s) for s in (0.5, 1, 59, 60, 3599, 7200, 86400, 1e7)] == [
        "0 seconds",
        "1 second",
        "59 seconds",
        "1 minute",
        "59 minutes",
        "2 hours",
        "1 day",
        "115 days",
    ]


def test_a_token_in_order(tmp_path: Path) -> None:
    checks = list(files.token(situation(tmp_path, token=jwt(exp=4e9))))
    assert [check.verdict for check in checks] == [Verdict.OK, Verdict.OK]
    assert not any("eyJ" in check.what for check in checks)


def test_a_credential_of_a_service_that_does_not_run_is_no_fault(tmp_path: Path) -> None:
    given = situation(tmp_path)
    assert given.config is not None
    backend = replace(given.config.backend, token_file=Path("/run/credentials/never-started.service/ingestd.token"))
    (check,) = files.token(replace(given, config=replace(given.config, backend=backend)))
    assert check.verdict is Verdict.SKIPPED
    assert "while the service runs" in check.what


def test_a_token_that_every_user_may_read(tmp_path: Path) -> None:
    given = situation(tmp_path)
    (tmp_path / "token").chmod(0o644)
    check = by_name(files.token(given))["token"]
    assert check.verdict is Verdict.WARNING
    assert "chmod 640" in check.remedy


@pytest.mark.parametrize(
    ("content", "words"), [(None, "does not exist"), ("", "is empty"), ("a\nb\n", "more than one line")]
)
def test_a_token_that_is_none(tmp_path: Path, content: str | None, words: str) -> None:
    given = situation(tmp_path)
    (tmp_path / "token").unlink()
    if content is not None:
        (tmp_path / "token").write_text(content)
    check = by_name(files.token(given))["token"]
    assert check.verdict is Verdict.FAILED
    assert words in check.what
    assert check.remedy
    assert files.readable_token(given.config) is None if given.config else False


@pytest.mark.root
def test_a_token_that_the_daemons_user_may_not_read() -> None:
    with folder_for_all() as folder:
        given = replace(situation(folder), user=User("nobody", 65534, 65534, (65534,), "/"))
        check = by_name(files.token(given))["token"]
    assert check.verdict is Verdict.FAILED
    assert check.what == f"nobody, whom the service runs as, may not read {folder / 'token'}"
    assert check.remedy == f"chgrp nogroup {folder / 'token'} && chmod 640 {folder / 'token'}"


def test_the_daemons_own_user_is_not_somebody_else(tmp_path: Path) -> None:
    own = User("me", os.geteuid(), os.getegid(), (), "/")
    assert by_name(files.token(replace(situation(tmp_path), user=own)))["token"].verdict is Verdict.OK
