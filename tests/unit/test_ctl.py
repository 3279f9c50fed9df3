"""The command ingestctl: what it prints, and what its exit status says."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingestd.control.client import ControlClient
from ingestd.control.protocol import RpcError
from ingestd.ctl.command import EXIT_REFUSED, EXIT_UNREACHABLE
from ingestd.ctl.main import main
from ingestd.ctl.status import EXIT_NOT_IN_THE_ROOM, EXIT_NOT_WELL
from tests.unit.control_case import STATUS, Control, control
from tests.unit.peers import GUARD_S, Task


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Control]:
    with control(tmp_path) as running:
        yield running


def run(served: Control, *arguments: str) -> int:
    return main(["--socket", str(served.path), *arguments])


def test_status_is_shown_to_people_and_as_json(served: Control, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(served, "status") == 0
    assert capsys.readouterr().out.splitlines()[0].strip() == "IN THE ROOM"
    assert run(served, "--json", "status") == 0
    assert json.loads(capsys.readouterr().out) == STATUS


@pytest.mark.parametrize(
    ("state", "exit_status"),
    [
        ("streaming", 0),
        ("renewing", 0),
        ("overlapping", 0),
        ("standby", 0),
        ("waiting", EXIT_NOT_IN_THE_ROOM),
        ("creating", 4),
        ("idle", 4),
    ],
)
def test_a_script_learns_by_the_exit_status_whether_a_device_that_should_be_in_the_room_is(
    state: str,
    exit_status: int,
    served: Control,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(STATUS, "state", state)
    assert run(served, "status") == exit_status
    assert capsys.readouterr().out
    assert run(served, "--json", "status") == 0, "a program reads the state"


@pytest.mark.parametrize(
    ("wrong", "exit_status"),
    [
        ({"devices": {"capture": {"lost": True}}}, EXIT_NOT_WELL),
        ({"devices": {"playback": {"lost": True}}}, EXIT_NOT_WELL),
        ({"config": {"last_good": True}}, EXIT_NOT_WELL),
        ({"faults": [{"what": "it", "over": False}]}, EXIT_NOT_WELL),
        ({"faults": [{"what": "it", "over": False}], "state": "standby"}, EXIT_NOT_WELL),
        ({"faults": [{"what": "it", "over": False}], "state": "waiting"}, EXIT_NOT_IN_THE_ROOM),
        ({"faults": [{"what": "it", "over": True}]}, 0),
        ({"uplink": {"muted": True}}, 0),
    ],
)
def test_a_script_learns_by_the_exit_status_whether_all_is_well(
    wrong: dict[str, Any], exit_status: int, served: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in wrong.items():
        monkeypatch.setitem(STATUS, key, value)
    assert run(served, "status") == exit_status


def test_status_goes_through_a_pipe_without_colours_and_in_whole_lines(
    served: Control, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    remedy = "Put a fresh token there, it is then tried at once; if it was fresh, try the other backend.auth_scheme."
    fault = {"what": "the backend answered 401", "meaning": "It has expired.", "remedy": remedy, "count": 1}
    monkeypatch.setitem(STATUS, "faults", [fault])
    assert run(served, "status") == EXIT_NOT_WELL == 5
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert f"  {remedy}\n" in shown


def test_json_moves_no_cursor_and_is_what_the_daemon_said(
    served: Control, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STATUS, "reason", "Grüße\x9b31m\u2028\u202e\x1b]0;x\x07 \U0001f600")
    assert run(served, "--json", "status") == 0
    shown = capsys.readouterr().out
    assert all(char.isprintable() for char in shown.replace("\n", ""))
    assert "Grüße" in shown
    assert json.loads(shown) == STATUS


def test_mute_and_unmute(served: Control) -> None:
    assert run(served, "mute") == 0
    assert served.mute.on
    assert run(served, "unmute") == 0
    assert not served.mute.on


def test_gain_sets_either_side_and_shows_both(served: Control, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(served, "gain") == 0
    assert capsys.readouterr().out == "capture_db: 0.0\nplayback_db: -3.0\n"
    assert run(served, "gain", "--capture", "-6.5") == 0
    assert capsys.readouterr().out == "capture_db: -6.5\nplayback_db: -3.0\n"
    assert run(served, "--json", "gain", "--capture", "30", "--playback", "0") == 0
    assert json.loads(capsys.readouterr().out) == {"capture_db": 30, "playback_db": 0, "kept": True}
    assert (served.capture.gain_db, served.playback.gain_db) == (30, 0)


@pytest.mark.parametrize("command", ["call", "hangup", "reconnect", "reload"])
def test_what_came_of_a_call_is_json_for_programs(
    command: str, served: Control, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(served, command) == 0
    assert capsys.readouterr().out == f"{command}\n"
    assert run(served, "--json", command) == 0
    assert json.loads(capsys.readouterr().out) == {"result": command}


@pytest.mark.parametrize(
    "arguments",
    [
        ("publish", "", "x"),
        ("publish", "T", "x" * 101),
        ("--json", "publish", "T", "{"),
        ("--json", "publish", "T", "[" * 50_000),
        ("--json", "publish", "T", "NaN"),
        ("subscribe", "x" * 129),
        ("gain", "--capture", "31"),
    ],
    ids=lambda arguments: " ".join(arguments)[:40],
)
def test_what_the_daemon_refuses_is_exit_1_with_the_reason(
    arguments: tuple[str, ...], served: Control, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(served, *arguments) == EXIT_REFUSED == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("ingestctl: ")
    assert "Traceback" not in shown.err


def test_a_daemon_that_is_not_there_is_exit_3_and_says_where_to_look(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "absent", tmp_path / "file", tmp_path / ("x" * 200)):
        assert main(["--socket", str(path), "status"]) == EXIT_UNREACHABLE == 3
        shown = capsys.readouterr().err
        assert str(path) in shown
        assert "systemctl status ingestd" in shown
        assert "None" not in shown


@pytest.mark.parametrize("answer", [b"", b"nonsense\n", b"[]\n", b'{"half'])
def test_something_else_behind_the_socket_is_exit_3(
    answer: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "other"))
        listener.listen()

        def serve() -> None:
            sock, _ = listener.accept()
            sock.recv(1000)
            sock.sendall(answer)
            sock.close()

        other = Task(serve)
        assert main(["--socket", str(tmp_path / "other"), "status"]) == EXIT_UNREACHABLE
        other.result()
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["publish", "T"],
        ["status", "more"],
        ["gain", "6"],
        *(["gain", "--capture", odd] for odd in ("nan", "inf", "-inf", "loud")),
        ["publish", "T", "x", "--wait", "nan"],
        ["devices", "--meter", "--seconds", "nan"],
    ],
    ids=" ".join,
)
def test_a_command_that_is_none_is_exit_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert raised.value.code == 2


def test_a_client_goes_on_after_it_waited_in_vain(served: Control) -> None:
    with ControlClient(served.path) as client:
        client.call("subscribe", topic="T")
        for _ in range(2):
            with pytest.raises(TimeoutError):
                client.notification(0.02)
        served.thread.publish("message", {"topic": "T", "text": "x"})
        assert client.call("status") == STATUS
        assert client.notification(GUARD_S)["params"]["text"] == "x"
        with pytest.raises(RpcError, match="no method"):
            client.call("nonsense")


def test_a_reader_that_goes_is_no_fault(served: Control) -> None:
    command = [sys.executable, "-m", "ingestd.ctl.main", "--socket", str(served.path), "--json", "status"]
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        shown = subprocess.run(command, stdout=write_end, stderr=subprocess.PIPE, text=True, timeout=30)
    finally:
        os.close(write_end)
    assert (shown.returncode, shown.stderr) == (141, "")


def test_an_output_that_can_not_be_written_is_no_daemon_that_does_not_answer(served: Control) -> None:
    command = [sys.executable, "-m", "ingestd.ctl.main", "--socket", str(served.path), "--json", "status"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=30)
    assert done.returncode == EXIT_REFUSED
    assert done.stderr == "ingestctl: can't write what is to be shown: No space left on device\n"


@pytest.mark.parametrize(
    ("command", "closed"), [("status", ">&-"), ("call --url-stdin", "<&-"), ("gain --capture 31", "<&- >&- 2>&-")]
)
def test_what_the_shell_closed_is_as_good_as_dev_null(command: str, closed: str, served: Control) -> None:
    begun = f"{sys.executable} -m ingestd.ctl.main --socket {served.path} {command}"
    usual = subprocess.run(["sh", "-c", f"{begun} </dev/null"], capture_output=True, text=True, timeout=30)
    done = subprocess.run(["sh", "-c", f"{begun} {closed}"], capture_output=True, text=True, timeout=30)
    assert done.returncode == usual.returncode
    assert done.stdout == ("" if ">&-" in closed.split() else usual.stdout)
    assert done.stderr == ("" if "2>&-" in closed else usual.stderr)
