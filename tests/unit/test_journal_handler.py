"""Lines to the journal: every field as the native protocol has it, and nobody waits for a journald that hangs."""

from __future__ import annotations

import logging
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.system.journal_handler import MAX_FIELD_BYTES, MAX_WAITING, JournalHandler, datagram

LINES = 2000
"""More than any socket's queue holds together with what waits."""


class Journald:
    """Reads what was sent, when a test wants it to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sock = self._bound()

    def _bound(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sock.bind(str(self.path))
        sock.setblocking(False)
        return sock

    def restart(self) -> None:
        """Another process takes the place of this one."""
        self.stop()
        self.sock = self._bound()

    def stop(self) -> None:
        self.sock.close()
        self.path.unlink()

    def take(self) -> list[dict[str, str]]:
        """All entries that are there."""
        entries = []
        while True:
            try:
                entries.append(parsed(self.sock.recv(1 << 20)))
            except BlockingIOError:
                return entries


def parsed(data: bytes) -> dict[str, str]:
    """As journald reads it (journal_native protocol)."""
    fields = {}
    while data:
        line, _, rest = data.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if equals:
            data = rest
        else:
            size = int.from_bytes(rest[:8], "little")
            value, end, data = rest[8 : 8 + size], rest[8 + size : 9 + size], rest[9 + size :]
            assert end == b"\n"
        fields[name.decode()] = value.decode()
    return fields


@pytest.fixture
def journald(tmp_path: Path) -> Iterator[Journald]:
    running = Journald(tmp_path / "socket")
    yield running
    running.sock.close()


@pytest.fixture
def log(journald: Journald) -> Iterator[logging.Logger]:
    logger = logging.Logger("a logger of its own")
    handler = JournalHandler("ingestd", str(journald.path))
    logger.addHandler(handler)
    yield logger
    handler.close()


def flush(log: logging.Logger) -> None:
    log.handlers[0].flush()


def test_a_line_with_its_fields(journald: Journald, log: logging.Logger) -> None:
    log.warning("gone: %s", "the cable", extra={"EPOCH": 7, "CALL_ID": "c1", "MESSAGE_ID": uuid.UUID(int=5).hex})
    (entry,) = journald.take()
    expected = {
        "MESSAGE": "gone: the cable",
        "PRIORITY": "4",
        "EPOCH": "7",
        "CALL_ID": "c1",
        "MESSAGE_ID": uuid.UUID(int=5).hex,
        "SYSLOG_IDENTIFIER": "ingestd",
        "THREAD_NAME": "MainThread",
        "CODE_FUNC": "test_a_line_with_its_fields",
    }
    assert {name: entry.get(name) for name in expected} == expected
    assert all(name.isupper() for name in entry), "what journald would refuse is not sent"


def test_a_traceback_of_many_lines(journald: Journald, log: logging.Logger) -> None:
    try:
        raise KeyError("something")
    except KeyError:
        log.exception("it failed")
    (entry,) = journald.take()
    assert entry["MESSAGE"].startswith("it failed\nTraceback")
    assert entry["PRIORITY"] == "3"


def test_nobody_waits_for_a_journald_that_hangs(journald: Journald, log: logging.Logger) -> None:
    for number in range(LINES):  # a sender that blocks ends here, by the test's time-out
        log.info("line %d", number)
    entries = journald.take()
    assert 0 < len(entries) < LINES - MAX_WAITING
    for _ in range(MAX_WAITING):
        flush(log)
        entries += journald.take()
    *lines, last = [entry["MESSAGE"] for entry in entries]
    assert lines == [f"line {number}" for number in range(len(lines))], "in order, from the first"
    assert last == f"{LINES - len(lines)} lines of the log are missing here: journald took none for a while"
    assert entries[-1]["PRIORITY"] == "4"
    log.info("and on")
    assert [entry["MESSAGE"] for entry in journald.take()] == ["and on"]


def test_lines_wait_while_journald_is_started_anew(journald: Journald, log: logging.Logger) -> None:
    journald.stop()
    for number in range(3):
        log.info("line %d", number)
    journald.sock = journald._bound()
    log.info("line 3")
    assert [entry["MESSAGE"] for entry in journald.take()] == [f"line {number}" for number in range(4)]
    journald.restart()
    log.info("line 4")
    assert [entry["MESSAGE"] for entry in journald.take()] == ["line 4"]


def test_a_line_that_is_too_long_is_cut_between_characters(journald: Journald, log: logging.Logger) -> None:
    log.info("%s", "ä€" * MAX_FIELD_BYTES, extra={"WHY": "y" * 10 * MAX_FIELD_BYTES})
    (entry,) = journald.take()
    for name in ("MESSAGE", "WHY"):
        assert entry[name].endswith(" […]")
        assert MAX_FIELD_BYTES - 3 <= len(entry[name].encode()) <= MAX_FIELD_BYTES + 8


def test_after_its_end_a_line_goes_nowhere(log: logging.Logger, journald: Journald) -> None:
    log.handlers[0].close()
    log.info("too late")
    assert journald.take() == []


@given(st.dictionaries(st.from_regex(r"[A-Z][A-Z0-9_]{0,20}", fullmatch=True), st.text(max_size=200), max_size=8))
def test_whatever_a_value_holds_it_arrives(fields: dict[str, str]) -> None:
    assert parsed(datagram(fields)) == {
        name: value.encode("utf-8", "backslashreplace").decode() for name, value in fields.items()
    }


@pytest.mark.parametrize("name", ["msg", "_PID", "", "1ST", "A B", "A=B", "A\nB", "Ä", "A" * 65])
def test_names_that_journald_refuses_are_left_out(name: str) -> None:
    assert datagram({name: "x", "MESSAGE": "y"}) == b"MESSAGE=y\n"


def test_a_line_that_can_never_go_is_no_plug(journald: Journald, log: logging.Logger) -> None:
    handler = log.handlers[0]
    assert isinstance(handler, JournalHandler)
    handler._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)  # the least there is: some 4 KB
    log.warning("x" * 8000)
    log.warning("after it")
    assert [entry["MESSAGE"][:30] for entry in journald.take()] == ["1 lines of the log are missing", "after it"]
