"""What is logged is printable and one line a message, for the journal and for a terminal."""

from __future__ import annotations

import logging
import sys

import pytest

from ingestd.broker.logs import LOG, JournalLines, TerminalLines, printable, set_up


def record(level: int, message: str, *values: object, exc_info: object = None) -> logging.LogRecord:
    """As a logger makes it."""
    return logging.LogRecord("ingestd.broker.x", level, "x.py", 1, message, values, exc_info)  # type: ignore[arg-type]


@pytest.mark.parametrize(("level", "priority"), [("DEBUG", 7), ("INFO", 6), ("WARNING", 4), ("ERROR", 3)])
def test_the_journal_is_told_the_level(level: str, priority: int) -> None:
    assert JournalLines().format(record(logging.getLevelName(level), "so")) == f"<{priority}>so"


def test_a_stranger_forges_no_line_and_moves_no_cursor() -> None:
    made = JournalLines().format(record(logging.INFO, "from %s", "a\n<3>b\x1b[2J\u202ec\x9b\u2028"))
    assert made == "<6>from a\\n<3>b\\x1b[2J\\u202ec\\x9b\\u2028"


def test_every_line_of_a_traceback_has_its_level() -> None:
    try:
        raise ValueError("one\x1b\ntwo")
    except ValueError:
        made = JournalLines().format(record(logging.ERROR, "it broke", exc_info=sys.exc_info()))
    lines = made.splitlines()
    assert lines[0] == "<3>it broke"
    assert lines[-1] == "<3>two"
    assert all(line.startswith("<3>") for line in lines)
    assert "\x1b" not in made


def test_a_terminal_is_told_the_time() -> None:
    assert TerminalLines().format(record(logging.INFO, "so")).endswith(" INFO    so")


def test_what_people_read_stays() -> None:
    assert printable("Gerät 7: ça va") == "Gerät 7: ça va"


def test_the_level_counts(capsys: pytest.CaptureFixture[str]) -> None:
    before = LOG.handlers[:], LOG.level, LOG.propagate
    try:
        set_up("warning")
        logging.getLogger("ingestd.broker.x").info("no")
        logging.getLogger("ingestd.broker.x").warning("yes")
        set_up("debug")
        logging.getLogger("ingestd.broker.x").debug("now")
    finally:
        LOG.handlers[:], LOG.level, LOG.propagate = before
    assert [line.rpartition(" ")[2] for line in capsys.readouterr().err.splitlines()] == ["yes", "now"]
