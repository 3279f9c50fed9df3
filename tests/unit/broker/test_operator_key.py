"""Who is an operator: by a key in a file, whatever becomes of the file."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from ingestd.broker.operator_key import OperatorKey


def test_the_key_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("right\n")
    key = OperatorKey(file)
    assert key.allows("right")
    for wrong in ("", "wrong", "righ", "right ", "RIGHT", "rightright", "\udc80", "ä"):
        assert not key.allows(wrong)


def test_it_is_read_anew_once_the_file_changed(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("first")
    key = OperatorKey(file)
    assert key.allows("first")
    (tmp_path / "next").write_text("other")
    os.replace(tmp_path / "next", file)
    assert key.allows("other")
    assert not key.allows("first")
    file.write_text("one-more")
    assert key.allows("one-more")


@pytest.mark.parametrize("content", [None, "", "two\nlines", "sp\x00ace"])
def test_without_a_key_nobody_is_let_in_and_it_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str | None
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_text(content)
    key = OperatorKey(file)
    with caplog.at_level(logging.WARNING):
        for presented in ("", "x", "", content or ""):
            assert not key.allows(presented)
    (told,) = [record.getMessage() for record in caplog.records]
    assert told.startswith(f"nobody is let in as an operator: operators.key_file: {file}: ")
    file.write_text("good")
    assert key.allows("good")
    file.unlink()
    assert not key.allows("good")
    assert len(caplog.records) == 2


def test_no_file_is_configured(caplog: pytest.LogCaptureFixture) -> None:
    key = OperatorKey(None)
    assert not key.allows("")
    assert not key.allows("x")
    assert caplog.records == []
