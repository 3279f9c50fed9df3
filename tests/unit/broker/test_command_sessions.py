"""ingestd-broker sessions: what devices asked for, as an operator reads it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import insert

from ingestd.broker.model import SESSIONS
from tests.rig.terminal import Terminal
from tests.unit.broker.command_case import Command

ASKED_MS = 1_795_433_400_500
CALL = "550e8400-e29b-41d4-a716-446655440000"


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    made = Command(tmp_path, capsys)
    made("device", "add", "north", "--room", "room-1")
    made("device", "add", "south", "--room", "room-2")
    with made.storage().writing() as connection:
        for row in (
            {"device_id": 1, "status": 200, "answered_ms": ASKED_MS + 1234, "call_id": CALL, "room_id": "room-1"},
            {"device_id": 2, "status": 402, "answered_ms": ASKED_MS + 80, "message": "no such\x1b[2Jroom\r\nat all"},
            {"device_id": 1, "status": None},
        ):
            connection.execute(insert(SESSIONS).values(asked_ms=ASKED_MS, **row))
    return made


def test_newest_first(command: Command) -> None:
    said = command("sessions")
    assert (said.status, said.err) == (0, "")
    assert [line.split() for line in said.out.splitlines()] == [
        ["ASKED", "(UTC)", "DEVICE", "STATUS", "TOOK", "ROOM", "CALL,", "OR", "WHY", "NONE"],
        ["2026-11-23", "11:30:00", "north", "-", "-", "-", "-"],
        ["2026-11-23", "11:30:00", "south", "402", "0.08", "s", "-", "no", "such?[2Jroom??at", "all"],
        ["2026-11-23", "11:30:00", "north", "200", "1.23", "s", "room-1", CALL],
    ]


def test_of_one_device_and_so_many(command: Command) -> None:
    assert len(command("sessions", "--device", "north").out.splitlines()) == 3
    assert len(command("sessions", "--device", "north", "--limit", "1").out.splitlines()) == 2


def test_as_json_one_object_a_line(command: Command) -> None:
    rows = [json.loads(line) for line in command("sessions", "--json").out.splitlines()]
    assert [row["device"] for row in rows] == ["north", "south", "north"]
    assert rows[2] == {
        "device": "north",
        "asked_ms": ASKED_MS,
        "answered_ms": ASKED_MS + 1234,
        "status": 200,
        "message": None,
        "call_id": CALL,
        "room_id": "room-1",
    }


def test_a_device_that_is_not_there(command: Command) -> None:
    said = command("sessions", "--device", "nobody")
    assert (said.status, said.out) == (1, "")
    assert "there is no device named 'nobody'" in said.err


@pytest.mark.parametrize("limit", ["0", "-1", "1000001", "x", "1.5", "", "٣", "9" * 5000])
def test_what_is_no_number_is_no_usage(command: Command, limit: str) -> None:
    said = command("sessions", "--limit", limit)
    assert said.status == 2
    assert "give a whole number from 1 to 1000000" in said.err


def test_none_yet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = Command(tmp_path, capsys)("sessions")
    assert (said.status, said.out) == (0, "")
    assert "No device has asked" in said.err


def test_it_fits_eighty_columns(command: Command) -> None:
    with Terminal(command.elsewhere("sessions"), columns=80) as terminal:
        assert terminal.status() == 0
        lines = [line for line in terminal.screen() if line]
    assert len(lines) == 4, "no line was broken"
    assert lines[3].endswith("…")
    assert "550e8400" in lines[3]
    assert [line.split()[:2] for line in lines[1:]] == [["11-23", "11:30:00"]] * 3
