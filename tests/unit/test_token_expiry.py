"""When the token expires: as its file says now, and read only where that has changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ingestd.config import token_expiry
from ingestd.config.token_expiry import TokenExpiry
from tests.unit.doctor_case import jwt


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "token"


def test_it_is_the_token_s_own_word(path: Path) -> None:
    path.write_text(jwt(exp=1_900_000_000) + "\n")
    assert TokenExpiry(lambda: path)() == 1_900_000_000.0


@pytest.mark.parametrize("content", ["no-jwt", "", "two words", jwt(iat=1), "x" * 100_000])
def test_a_token_that_does_not_say_has_none(path: Path, content: str) -> None:
    path.write_text(content)
    assert TokenExpiry(lambda: path)() is None


def test_a_renewed_token_counts_at_once(path: Path, tmp_path: Path) -> None:
    expiry = TokenExpiry(lambda: path)
    assert expiry() is None
    path.write_text(jwt(exp=1_900_000_000))
    assert expiry() == 1_900_000_000.0
    (tmp_path / "new").write_text(jwt(exp=1_900_000_001))
    os.replace(tmp_path / "new", path)
    assert expiry() == 1_900_000_001.0
    path.unlink()
    assert expiry() is None


def test_another_file_by_a_reload_counts_at_once(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    first.write_text(jwt(exp=1_900_000_001))
    second.write_text(jwt(exp=1_900_000_002))
    named = [first]
    expiry = TokenExpiry(lambda: named[0])
    assert expiry() == 1_900_000_001.0
    named[0] = second
    assert expiry() == 1_900_000_002.0


def test_a_file_that_did_not_change_is_not_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text(jwt(exp=1_900_000_000))
    expiry = TokenExpiry(lambda: path)
    expiry()
    monkeypatch.delattr(token_expiry, "read_token")
    assert expiry() == 1_900_000_000.0
    path.write_text(jwt(exp=1_900_000_001))
    with pytest.raises(NameError):
        expiry()
