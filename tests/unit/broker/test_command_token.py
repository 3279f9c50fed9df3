"""ingestd-broker token mint: a token for a bench."""

from __future__ import annotations

import time
from pathlib import Path

import jwt
import pytest

from tests.unit.broker.command_case import Command


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(tmp_path, capsys)


def test_the_token_alone_is_on_standard_output(command: Command) -> None:
    said = command("token", "mint", "--lives-s", "3600", "--room", "room-1", "--participant-id", "p-1")
    assert said.status == 0
    assert len(said.out.split()) == 1
    claims = jwt.decode(said.out.strip(), "the-api-secret", algorithms=["HS256"])
    issued_s = claims.pop("iat")
    assert claims.pop("exp") == issued_s + 3600
    assert abs(issued_s - time.time()) < 60
    assert claims == {
        "apikey": "the-api-key",
        "permissions": ["allow_join"],
        "version": 2,
        "roles": ["crawler"],
        "roomId": "room-1",
        "participantId": "p-1",
    }
    assert "may send into this room" in said.err
    assert said.out.strip() not in said.err


def test_it_lives_as_long_as_the_brokers_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = tmp_path / "secret"
    videosdk = {"api_key": "k", "api_secret_file": str(secret), "token_lives_s": 240}
    said = Command(tmp_path, capsys, videosdk=videosdk)("token", "mint")
    claims = jwt.decode(said.out.strip(), "the-api-secret", algorithms=["HS256"])
    assert claims["exp"] - claims["iat"] == 240
    assert "roomId" not in claims
    assert "any room of the account" in said.err


def test_a_given_token_mints_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = Command(tmp_path, capsys, videosdk={"token_file": "/etc/token"})("token", "mint")
    assert (said.status, said.out) == (1, "")
    assert "videosdk.api_key" in said.err
    assert "/etc/token" in said.err


def test_a_secret_that_cant_be_read(command: Command, tmp_path: Path) -> None:
    (tmp_path / "secret").unlink()
    said = command("token", "mint")
    assert (said.status, said.out) == (1, "")
    assert str(tmp_path / "secret") in said.err


@pytest.mark.parametrize("lives_s", ["0", "31536001", "1h"])
def test_no_time_to_live(command: Command, lives_s: str) -> None:
    assert command("token", "mint", "--lives-s", lives_s).status == 2
