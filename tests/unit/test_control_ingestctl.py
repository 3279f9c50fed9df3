"""The command ingestctl: what it prints, and what its exit status says."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestd.control.client import ControlClient
from ingestd.control.ingestctl import EXIT_REFUSED, EXIT_UNREACHABLE, main
from ingestd.control.protocol import RpcError
from tests.rig.process import wait_until
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
    assert capsys.readouterr().out == "state: streaming\nsession:\n  call_id: c1\n  rtt_ms: -\nfaults: -\n"
    assert run(served, "--json", "status") == 0
    assert json.loads(capsys.readouterr().out) == STATUS


def test_status_shows_each_fault_and_each_warning_as_a_line_of_its_own(
    served: Control, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    last = "2023-11-14T22:13:20.250+00:00"
    shown = {
        "devices": {"capture": {"lost": True, "lost_since": last, "warnings": ["it sounds poor", "it is slow"]}},
        "messaging": {"refused": {}, "discarded": 0},
        "faults": [
            {"what": "can't reach it;\ncheck the network", "last": last, "count": 1, "over": True},
            {"what": "the microphone is lost", "last": last, "count": 12, "over": False},
        ],
    }
    monkeypatch.setitem(STATUS, "devices", shown["devices"])
    monkeypatch.setitem(STATUS, "messaging", shown["messaging"])
    monkeypatch.setitem(STATUS, "faults", shown["faults"])
    assert run(served, "status") == 0
    assert capsys.readouterr().out.splitlines()[4:] == [
        "faults:",
        f"  {last}, once, over: can't reach it; check the network",
        f"  {last}, 12 times: the microphone is lost",
        "devices:",
        "  capture:",
        "    lost: True",
        f"    lost_since: {last}",
        "    warnings:",
        "      it sounds poor",
        "      it is slow",
        "messaging:",
        "  refused: -",
        "  discarded: 0",
    ]


def test_publish_sends_text_or_json(served: Control) -> None:
    assert run(served, "publish", "T", '{"a":1}') == 0
    assert run(served, "--json", "publish", "T", '{"a":1}') == 0
    assert [sent["data"] for sent in served.sent()] == ['{"a":1}', {"a": 1}]


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
    assert json.loads(capsys.readouterr().out) == {"capture_db": 30, "playback_db": 0}
    assert (served.capture.gain_db, served.playback.gain_db) == (30, 0)


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
        ("gain", "--playback", "nan"),
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


def test_outside_the_room_is_exit_1(served: Control, capsys: pytest.CaptureFixture[str]) -> None:
    served.link = None
    assert run(served, "publish", "T", "x") == EXIT_REFUSED
    assert "not in the room" in capsys.readouterr().err


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


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["publish", "T"], ["status", "more"], ["gain", "6"]])
def test_a_command_that_is_none_is_exit_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert raised.value.code == 2


@pytest.mark.parametrize("as_json", [False, True])
def test_subscribe_prints_messages_until_the_daemon_goes(
    as_json: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = {"topic": "T", "text": "hello\nyou", "sender_id": "p", "sender_name": None, "timestamp": None, "id": None}
    with control(tmp_path) as served:
        task = Task(lambda: run(served, *(["--json"] if as_json else []), "subscribe", "T"))
        wait_until(served.sent, GUARD_S, "the subscription")
        served.thread.publish("state", {"state": "streaming"})
        served.thread.publish("message", said)
        served.thread.publish("message", {**said, "topic": "other"})
        shown = ""

        def printed() -> str:
            nonlocal shown
            shown += capsys.readouterr().out
            return shown

        wait_until(printed, GUARD_S, "the message")
    assert task.result() == EXIT_UNREACHABLE
    assert shown == (json.dumps(said) if as_json else "[T] p: hello\nyou") + "\n"


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
    command = [sys.executable, "-m", "ingestd.control.ingestctl", "--socket", str(served.path), "--json", "status"]
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        shown = subprocess.run(command, stdout=write_end, stderr=subprocess.PIPE, text=True, timeout=30)
    finally:
        os.close(write_end)
    assert (shown.returncode, shown.stderr) == (141, "")
