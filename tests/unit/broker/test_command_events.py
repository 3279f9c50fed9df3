"""ingestd-broker events: as an operator reads them, follows them, and passes them on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingestd.broker.command.main import main
from ingestd.broker.events import Events
from ingestd.broker.migrating import migrate
from ingestd.broker.storage import Storage
from tests.rig.postgres import Postgres, needs_postgres
from tests.rig.process import end, spawn, wait_until
from tests.rig.terminal import Terminal
from tests.unit.broker.rows import add_device

NOW_S = 1_795_433_400.5


def _config(directory: Path, url: str) -> Path:
    path = directory / "broker.yaml"
    path.write_text(json.dumps({"videosdk": {"token_file": "/nowhere"}, "storage": {"url": url}}))
    return path


@pytest.fixture
def config(database_url: str, tmp_path: Path) -> Path:
    return _config(tmp_path, database_url)


def _come(storage: Storage, kind: str, call_id: str | None = None, **data: Any) -> None:
    body = {"webhookType": kind, "data": {"callId": call_id, **data}}
    assert Events(storage, lambda: NOW_S).store(json.dumps(body).encode())


def test_one_line_an_event_in_the_order_of_their_coming(
    config: Path, storage: Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    add_device(storage, "pump", "c1")
    _come(storage, "call-hangup", "c1", timestamp="2026-11-23T11:29:58Z")
    _come(storage, "call-started", "c1", timestamp="2026-11-23T11:29:01Z")
    _come(storage, "call-ringing")
    assert main(["--config", str(config), "events"]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert [line.split() for line in told.out.splitlines()] == [
        ["HAPPENED", "(UTC)", "DEVICE", "EVENT", "ROOM", "CALL"],
        ["2026-11-23", "11:29:58", "pump", "call-hangup", "room-of-pump", "c1"],
        ["2026-11-23", "11:29:01", "pump", "call-started", "room-of-pump", "c1"],
        ["2026-11-23", "11:30:00", "-", "call-ringing", "-", "-"],
    ]
    places = {
        line.index(word) for line, word in zip(told.out.splitlines(), ["ROOM", "room-of", "room-of"], strict=False)
    }
    assert len(places) == 1


def test_only_so_many_and_only_of_one_device(
    config: Path, storage: Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    add_device(storage, "pump", "c1")
    add_device(storage, "gate", "c2")
    for number in range(4):
        _come(storage, "call-update", "c1", number=number)
        _come(storage, "call-update", "c2", number=number)
    assert main(["--config", str(config), "events", "--json", "--device", "gate", "--limit", "3"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["device"], json.loads(one["body"])["data"]["number"]) for one in told] == [
        ("gate", number) for number in (1, 2, 3)
    ]
    assert main(["--config", str(config), "events", "--device", "nobody"]) == 1
    assert "nobody" in capsys.readouterr().err


def test_without_any_event_the_way_to_them_is_told(
    config: Path, storage: Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--config", str(config), "events"]) == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert "webhook register" in told.err


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_nothing_from_outside_acts_on_the_terminal(
    config: Path, storage: Storage, capsys: pytest.CaptureFixture[str], as_json: list[str]
) -> None:
    hostile = "\x1b[2J\r\n\x9b31m\u202e\u2028"
    _come(storage, f"kind{hostile}", f"call{hostile}", roomId=hostile)
    assert main(["--config", str(config), "events", *as_json]) == 0
    told = capsys.readouterr().out
    assert all(line.isprintable() for line in told.split("\n"))
    assert len(told.splitlines()) == (1 if as_json else 2)


@pytest.mark.parametrize("limit", ["-1", "x", "1000000000", "٣", "9" * 5000])
def test_a_limit_that_cannot_be_is_a_wrong_command(limit: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["events", "--limit", limit])
    assert ended.value.code == 2
    assert "--limit: give a whole number from 0 to 100000\n" in capsys.readouterr().err


class Follower:
    """`ingestd-broker events --follow` as a process of its own."""

    def __init__(self, config: Path, directory: Path) -> None:
        self.out, self.err = directory / "out", directory / "err"
        command = [
            sys.executable,
            "-m",
            "ingestd.broker",
            "--config",
            str(config),
            "events",
            "--follow",
            "--limit",
            "1",
        ]
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = spawn(command, stdout=out, stderr=err)

    def wait(self, text: str) -> None:
        wait_until(lambda: text in self.out.read_text() + self.err.read_text(), 20, text)

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(20)


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Storage]:
    made = Storage(f"sqlite:///{tmp_path}/broker.db")
    migrate(made)
    yield made
    made.engine.dispose()


def test_on_a_narrow_terminal_each_event_is_one_line_with_its_whole_time(sqlite: Storage, tmp_path: Path) -> None:
    call_id = "550e8400-e29b-41d4-a716-446655440000"
    add_device(sqlite, "pump-house-north", call_id)
    for kind in ("call-started", "call-transferred"):
        _come(sqlite, kind, call_id)
    config = _config(tmp_path, f"sqlite:///{tmp_path}/broker.db")
    command = [sys.executable, "-m", "ingestd.broker", "--config", str(config), "events", "--follow"]
    with Terminal(command, columns=80) as terminal:
        terminal.wait_for("call-transf")
        titles, *events = terminal.text.splitlines()
        assert titles.split() == ["HAPPENED", "(UTC)", "DEVICE", "EVENT", "ROOM", "CALL"]
        assert [line.split()[:2] for line in events] == [["11-23", "11:30:00"]] * 2
        terminal.type("\x03")
        assert terminal.status() == 130


def test_a_follower_is_told_of_what_comes_until_ctrl_c(sqlite: Storage, tmp_path: Path) -> None:
    _come(sqlite, "call-old", "c0")
    _come(sqlite, "call-started", "c1")
    follower = Follower(_config(tmp_path, f"sqlite:///{tmp_path}/broker.db"), tmp_path)
    follower.wait("call-started")
    _come(sqlite, "call-answered", "c1")
    follower.wait("call-answered")
    assert follower.interrupt() == 130
    lines = follower.out.read_text().splitlines()
    assert [line.split()[-2:] for line in lines[1:]] == [["-", "c1"], ["-", "c1"]]
    assert lines[0].startswith("HAPPENED")
    assert follower.err.read_text() == ""


def test_a_follower_ends_quietly_when_nobody_reads_it(sqlite: Storage, tmp_path: Path) -> None:
    _come(sqlite, "call-started", "c1")
    config = _config(tmp_path, f"sqlite:///{tmp_path}/broker.db")
    command = [sys.executable, "-m", "ingestd.broker", "--config", str(config), "events", "--follow"]
    reader, writer = os.pipe()
    process = spawn(command, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    with os.fdopen(reader, "rb") as lines:
        assert lines.readline().startswith(b"HAPPENED")
    _come(sqlite, "call-answered", "c1")
    assert process.wait(20) == 141
    assert process.stderr is not None
    assert process.stderr.read() == b""
    end(process)


@needs_postgres
def test_a_follower_outlives_its_database(tmp_path: Path) -> None:
    with Postgres() as server:
        url = server.database()
        storage = Storage(url)
        migrate(storage)
        _come(storage, "call-started", "c1")
        follower = Follower(_config(tmp_path, url), tmp_path)
        follower.wait("call-started")
        server.stop()
        follower.wait("can't be read")
        server.start()
        follower.wait("can be read again")
        _come(storage, "call-hangup", "c1")
        follower.wait("call-hangup")
        assert follower.interrupt() == 130
        assert follower.err.read_text().count("can't be read") == 1
        assert follower.out.read_text().count("c1") == 2
        storage.engine.dispose()
