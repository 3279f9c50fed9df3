"""ingestctl publish and subscribe: as a script uses them, and as a person at a terminal does."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from ingestd.ctl.command import EXIT_INTERRUPTED, EXIT_OK, EXIT_REFUSED, EXIT_UNREACHABLE
from ingestd.ctl.main import main
from tests.rig.process import end, spawn, wait_until
from tests.rig.terminal import Terminal
from tests.unit.control_case import Control, control
from tests.unit.peers import GUARD_S, Task

SAID: dict[str, Any] = {
    "topic": "T",
    "text": "hello",
    "sender_id": "p",
    "sender_name": "Alice",
    "timestamp": "2026-06-27T14:41:00.000Z",
    "id": "msg-1",
}
HOSTILE = "\x1b[2J\x9b31m\u202ethree\nlines\u2028\x07"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Control]:
    with control(tmp_path) as running:
        yield running


def run(served: Control, *arguments: str) -> int:
    return main(["--socket", str(served.path), *arguments])


def command(path: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "ingestd.ctl.main", "--socket", str(path), *arguments]


@contextmanager
def subscriber(path: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    program = spawn(command(path, "subscribe", *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield program
    finally:
        end(program)


def line(of: IO[bytes] | None) -> str:
    assert of is not None
    return Task(of.readline).result().decode()


def wait_subscribed(served: Control, topic: str) -> None:
    wait_until(lambda: topic in served.thread._listened_to, GUARD_S, f"a subscription to {topic}")


# --- publish ----------------------------------------------------------------------------------------------------------


def test_publish_sends_text_or_json(served: Control) -> None:
    assert run(served, "publish", "T", '{"a":1}') == EXIT_OK
    assert run(served, "--json", "publish", "T", '{"a":1}') == EXIT_OK
    assert [sent["data"] for sent in served.said] == ['{"a":1}', {"a": 1}]


@pytest.mark.parametrize(
    ("arguments", "given", "data"),
    [
        ([], b"hello\n", "hello"),
        ([], "grüße\n😀".encode(), "grüße\n😀"),
        ([], b"two\n\n", "two\n"),
        ([], b"", ""),
        (["--json"], b'{"a": [1]}\n', {"a": [1]}),
    ],
)
def test_publish_takes_a_message_from_standard_input(
    served: Control, monkeypatch: pytest.MonkeyPatch, arguments: list[str], given: bytes, data: Any
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
    assert run(served, *arguments, "publish", "T", "-") == EXIT_OK
    assert [sent["data"] for sent in served.said] == [data]


@pytest.mark.parametrize(
    ("given", "why"),
    [(b"\xff\xfe", "DATA is not UTF-8"), (b"x" * 70_000, "more than 65536 bytes"), (b"x" * 9000, "is the most")],
)
def test_what_is_no_message_on_standard_input_is_refused(
    served: Control,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: bytes,
    why: str,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
    assert run(served, "publish", "T", "-") == EXIT_REFUSED
    assert why in capsys.readouterr().err
    assert served.said == []


def test_an_argument_that_is_not_utf_8_is_refused_and_not_changed(
    served: Control, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(served, "publish", "T", "a\udcffb") == EXIT_REFUSED
    assert run(served, "publish", "\udcff", "x") == EXIT_REFUSED
    assert run(served, "subscribe", "T", "\udcff") == EXIT_REFUSED
    assert capsys.readouterr().err == (
        "ingestctl: DATA is not UTF-8\ningestctl: TOPIC is not UTF-8\ningestctl: TOPIC is not UTF-8\n"
    )
    assert served.said == []


def test_outside_the_room_publish_is_exit_1(served: Control, capsys: pytest.CaptureFixture[str]) -> None:
    served.in_the_room.clear()
    assert run(served, "publish", "--wait", "0.05", "T", "x") == EXIT_REFUSED
    assert "for the room and was thrown away" in capsys.readouterr().err


# --- subscribe --------------------------------------------------------------------------------------------------------


def test_subscribe_prints_json_lines_of_its_topics_where_the_output_is_no_terminal(served: Control) -> None:
    with subscriber(served.path, "T", "U") as program:
        wait_subscribed(served, "U")
        served.thread.publish("state", {"state": "streaming"})
        served.thread.publish("message", {**SAID, "topic": "other"})
        for topic in ("T", "U"):
            served.thread.publish("message", {**SAID, "topic": topic})
            assert json.loads(line(program.stdout)) == {**SAID, "topic": topic}
        program.send_signal(signal.SIGINT)
        assert program.wait(GUARD_S) == EXIT_INTERRUPTED


def test_a_strangers_text_is_whole_in_json_and_moves_no_cursor(served: Control) -> None:
    said = {**SAID, "text": HOSTILE + "grüße 😀", "sender_name": HOSTILE}
    with subscriber(served.path, "T") as program:
        wait_subscribed(served, "T")
        served.thread.publish("message", said)
        shown = line(program.stdout)
    assert json.loads(shown) == said
    assert shown[:-1].isprintable()
    assert "grüße 😀" in shown


def test_a_person_at_a_terminal_sees_who_says_what_on_which_topic(served: Control) -> None:
    with Terminal(command(served.path, "subscribe", "T")) as terminal:
        wait_subscribed(served, "T")
        served.thread.publish("message", {**SAID, "text": HOSTILE, "sender_name": f"A{HOSTILE}"})
        served.thread.publish("message", {**SAID, "sender_name": None})
        terminal.wait_for("[T] p: hello")
        assert "[T] A?[2J?31m?three lines ?: ?[2J?31m?three lines ?" in terminal.text


def test_subscribe_goes_on_over_a_restart_of_the_daemon_and_says_so(tmp_path: Path) -> None:
    with control(tmp_path) as served, subscriber(served.path, "T") as program:
        wait_subscribed(served, "T")
        served.thread.stop()
        assert served.thread.join(GUARD_S)
        gone = "ingestctl: the daemon closed the control connection; waiting for it to come back, until interrupted\n"
        assert line(program.stderr) == gone
        with control(tmp_path) as again:
            assert line(program.stderr) == "ingestctl: ingestd is back; what was said meanwhile is missing\n"
            wait_subscribed(again, "T")
            again.thread.publish("message", SAID)
            assert json.loads(line(program.stdout)) == SAID


def test_subscribe_needs_a_daemon_to_begin_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--socket", str(tmp_path / "absent"), "subscribe", "T"]) == EXIT_UNREACHABLE
    assert "does not run" in capsys.readouterr().err


def test_a_topic_that_is_refused_ends_it(served: Control, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(served, "subscribe", "T", "x" * 129) == EXIT_REFUSED
    assert "1 to 128 characters" in capsys.readouterr().err
