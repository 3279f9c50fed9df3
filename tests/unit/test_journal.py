"""Where the log goes: to the journal only where standard error *is* the journal."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestd.system import journal
from ingestd.system.journal_handler import JournalHandler


@pytest.fixture
def stderr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A file that `handler` makes standard error; its name as JOURNAL_STREAM has it. The log is put back after."""
    handlers, level, propagate = journal.LOG.handlers[:], journal.LOG.level, journal.LOG.propagate
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    path = tmp_path / "stderr"
    path.touch()
    status = path.stat()
    yield f"{status.st_dev}:{status.st_ino}"
    journal.LOG.handlers[:] = handlers
    journal.LOG.setLevel(level)
    journal.LOG.propagate = propagate


def handler(tmp_path: Path) -> logging.Handler:
    """What a process with that standard error logs to."""
    # Here and not in the fixture: pytest puts its own standard error in place before the test itself.
    with (tmp_path / "stderr").open("w") as file, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", file)
        journal.set_up("info")
    (only,) = journal.LOG.handlers
    return only


def test_a_service_logs_to_the_journal(stderr: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", stderr)
    assert isinstance(handler(tmp_path), JournalHandler)


@pytest.mark.parametrize("stream", [None, "", "0:0", "8:1234567", "nonsense", "{device}:1", "1:{inode}", "{both} "])
def test_everybody_else_logs_to_standard_error(
    stderr: str, monkeypatch: pytest.MonkeyPatch, stream: str | None, tmp_path: Path
) -> None:
    device, inode = stderr.split(":")
    if stream is not None:
        monkeypatch.setenv("JOURNAL_STREAM", stream.format(device=device, inode=inode, both=stderr))
    assert type(handler(tmp_path)) is logging.StreamHandler


def test_a_standard_error_without_a_descriptor_is_no_journal(stderr: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", stderr)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    journal.set_up("info")
    assert [type(each) for each in journal.LOG.handlers] == [logging.StreamHandler]


def test_a_line_has_time_level_and_text_and_the_level_is_heeded(
    stderr: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    journal.set_up("warning")
    journal.set_up("warning")
    journal.LOG.info("not this")
    journal.LOG.warning("this %d", 7, extra={"EPOCH": 1})
    lines = written.getvalue().splitlines()
    assert len(lines) == 1, "set up twice is told once"
    assert lines[0].endswith(" WARNING this 7")
    assert not journal.LOG.propagate
