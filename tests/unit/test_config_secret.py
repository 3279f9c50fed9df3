"""Secrets stay masked, and a token's file is read with care."""

from __future__ import annotations

import json
import logging
import os
import pickle
from pathlib import Path

import pytest

from ingestd.config import Secret, read_token
from ingestd.config.secret import exposure
from ingestd.errors import ConfigError
from tests.unit.descriptors import left_open, open_descriptors

TOKEN = "eyJhbGciOiJIUzI1NiJ9.e30.c2ln"


def test_a_secret_shows_itself_only_on_request(caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret(TOKEN)
    logging.getLogger().warning("%s %r %s", secret, secret, [secret])
    shown = [
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret!r:>40}",
        f"{secret:>40}",
        caplog.text,
    ]
    assert all("eyJ" not in text for text in shown)
    assert secret.reveal() == TOKEN


def test_a_secret_cannot_leak_by_accident() -> None:
    secret = Secret(TOKEN)
    assert not hasattr(secret, "__dict__")
    with pytest.raises(TypeError):
        json.dumps(secret)
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        "".join([secret])  # type: ignore[list-item]


def test_secrets_compare_by_what_they_hold() -> None:
    assert Secret("ä\ud800") == Secret("ä\ud800")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


@pytest.mark.parametrize("content", [TOKEN, TOKEN + "\n", f"\n  {TOKEN}\t\r\n", "!~" * 8000])
def test_white_space_around_a_token_is_dropped(tmp_path: Path, content: str) -> None:
    path = tmp_path / "token"
    path.write_bytes(content.encode())
    assert read_token(path).reveal() == content.strip()


def test_a_token_is_read_anew_each_time(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("one")
    assert read_token(path).reveal() == "one"
    path.write_text("two")
    assert read_token(path).reveal() == "two"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty; write the token into it, on one line"),
        (b" \n\t\n", "is empty; write the token into it, on one line"),
        (b"s3cret\ns3cret\n", "has more than one line; leave only the token in it"),
        (b"s3cret\rs3cret", "has more than one line"),
        (b"Bearer s3cret", "begins with 'Bearer'; leave only the token"),
        (b"s3cret s3cret", "has a space, a control character or a character outside ASCII"),
        (b"\xef\xbb\xbfs3cret", "with no byte order mark"),
        (b"s3cret\0", "has a space, a control character"),
        (b"s3cret\xe4", "has a space, a control character"),
        (b"s3cret\x7f", "has a space, a control character"),
        (b"s3cret" * 3000, "is larger than 16384 bytes"),
    ],
)
def test_a_bad_token_file_says_what_to_do_and_never_shows_it(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_token(path)
    (fault,) = caught.value.faults
    assert fault.startswith(f"{path}: the token file ")
    assert expected in fault
    assert "s3cret" not in fault
    assert caught.value.__cause__ is None


def test_a_missing_token_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the token file does not exist; create it or correct the name"):
        read_token(tmp_path / "token")


def test_another_secret_is_called_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the hook's secret file does not exist"):
        read_token(tmp_path / "secret", "hook's secret")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_token_file_names_the_user(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.touch(mode=0)
    with pytest.raises(ConfigError, match=f"as user id {os.geteuid()}: permission denied"):
        read_token(path)


def test_a_fifo_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "token")
    with pytest.raises(ConfigError, match="not a regular file"):
        read_token(tmp_path / "token")


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    before = open_descriptors()
    for _ in range(20):
        with pytest.raises(ConfigError):
            read_token(tmp_path)
    assert not left_open(before)


@pytest.mark.parametrize(("mode", "exposed"), [(0o600, False), (0o640, False), (0o644, True), (0o602, True)])
def test_a_token_everybody_may_read_is_warned_about(tmp_path: Path, mode: int, exposed: bool) -> None:
    path = tmp_path / "token"
    path.touch()
    path.chmod(mode)
    warning = exposure(path)
    assert (warning is not None) == exposed
    if warning is not None:
        assert (
            warning
            == f"{path}: every user of this machine may read or write the token; chmod 640 it, or stricter"
        )


def test_what_is_not_there_is_not_exposed(tmp_path: Path) -> None:
    assert exposure(tmp_path / "token") is None
