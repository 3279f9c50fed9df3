"""The control socket against clients that behave and misbehave."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestd.control.client import ControlClient
from ingestd.control.door import MAX_CLIENTS
from ingestd.control.protocol import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    MAX_LINE_BYTES,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    UNAVAILABLE,
    RpcError,
)
from ingestd.control.subscriptions import _MOST_WORDS, _WORD_S
from ingestd.core.topics import MAX_TOPICS
from tests.rig.process import wait_until
from tests.unit.control_case import STATUS, Control, clock_of, control
from tests.unit.peers import GUARD_S, Task


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Control]:
    with control(tmp_path) as running:
        yield running


def test_it_ends_when_told_to_however_long_it_would_rest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("ingestd.control.server._IDLE_S", 100 * GUARD_S)
    with control(tmp_path) as running:
        with running.client() as client:
            client.ask("status")
        time.sleep(0.2)  # into its rest; `control` asserts that it ends


def test_a_request_is_answered_with_its_id(served: Control) -> None:
    with served.client() as client:
        assert client.ask("status", request_id=7) == {"jsonrpc": "2.0", "result": STATUS, "id": 7}
        assert client.ask("status", request_id="x")["id"] == "x"
        assert client.ask("publish", {"topic": "T", "data": "hello"})["result"]["sent"]
    assert served.said == [{"event": "message", "topic": "T", "data": "hello"}]


@pytest.mark.parametrize(
    ("line", "code", "request_id"),
    [
        (b"hello", PARSE_ERROR, None),
        (b"\xff\xfe", PARSE_ERROR, None),
        (b"[" * 60_000, PARSE_ERROR, None),
        (b"{}", INVALID_REQUEST, None),
        (b'{"jsonrpc":"2.0","method":"nonsense","id":3}', METHOD_NOT_FOUND, 3),
        (b'{"jsonrpc":"2.0","method":"status","params":[1],"id":3}', INVALID_PARAMS, 3),
        (b'{"jsonrpc":"2.0","method":"subscribe","params":{"topic":"\\ud800"},"id":3}', INVALID_PARAMS, 3),
        (b'{"jsonrpc":"2.0","method":"publish","params":{"topic":"T","data":NaN},"id":3}', PARSE_ERROR, None),
        (b'{"jsonrpc":"2.0","method":"nonsense","id":null}', METHOD_NOT_FOUND, None),
        (b'[{"jsonrpc":"2.0","method":"status","id":3}]', INVALID_REQUEST, None),
        (b'{"jsonrpc":"2.0","method":"publish","params":{"topic":"\\ud800","data":1},"id":3}', INVALID_PARAMS, 3),
        (b'{"jsonrpc":"2.0","method":"\\ud800","id":"\\ud800"}', METHOD_NOT_FOUND, "?"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_bad_line_is_an_error_and_the_next_one_is_served(
    line: bytes, code: int, request_id: object, served: Control
) -> None:
    with served.client() as client:
        client.send(line + b"\n")
        answer = client.line()
        assert (answer["error"]["code"], answer["id"]) == (code, request_id)
        assert client.ask("status")["result"] == STATUS


def test_a_notification_is_carried_out_and_never_answered(served: Control) -> None:
    with served.client() as client:
        client.send(b'{"jsonrpc":"2.0","method":"publish","params":{"topic":"T","data":1}}\n')
        client.send(b'{"jsonrpc":"2.0","method":"publish","params":{}}\n{"jsonrpc":"2.0","method":"nonsense"}\n\n  \n')
        assert client.ask("status", request_id=5)["id"] == 5
    assert served.thread.figures["dropped"] == 2
    wait_until(lambda: len(served.said) == 1, GUARD_S, "what was published")


def test_an_answer_that_comes_late_holds_nobody_up(served: Control) -> None:
    served.in_the_room.clear()
    publish = b'{"jsonrpc":"2.0","method":"publish","params":{"topic":"T","data":%d},"id":%d}\n'
    with served.client() as client, served.client() as gone:
        gone.send(publish % (1, 1))
        wait_until(lambda: len(served.outbox) == 1, GUARD_S, "the first message")
        client.send(publish % (2, 2))
        assert client.ask("status", request_id=3)["id"] == 3
        wait_until(lambda: len(served.outbox) == 2, GUARD_S, "both messages")
        gone.sock.close()
        served.in_the_room.set()
        assert client.line()["id"] == 2
    assert [one["data"] for one in served.said] == [1, 2], "whoever goes has published all the same"


def test_what_a_client_listens_to_is_subscribed_to_while_it_does(served: Control) -> None:
    with served.client() as one, served.client() as other:
        for client in (one, other, other):
            client.ask("subscribe", {"topic": "T"})
        other.ask("unsubscribe", {"topic": "T"})
        other.ask("unsubscribe", {"topic": "CHAT"})
        assert served.words() == [{"event": "subscribe", "topic": "T"}], "one still listens"
        other.ask("subscribe", {"topic": "U"})
        wait_until(lambda: len(served.words()) == 2, GUARD_S, "the second topic")
        other.ask("unsubscribe", {"topic": "U"})
    wait_until(lambda: len(served.words()) == 4, GUARD_S, "the end of the last")
    assert served.topics.all() == ("CHAT",)
    assert [(word["event"], word["topic"]) for word in served.words()] == [
        ("subscribe", "T"),
        ("subscribe", "U"),
        ("unsubscribe", "U"),
        ("unsubscribe", "T"),
    ]


def test_topics_that_come_and_go_all_the_time_take_no_room_from_others(served: Control) -> None:
    with served.client() as flood, served.client() as other:
        began_s = time.monotonic()
        for number in range(1000):
            flood.ask("subscribe", {"topic": f"flood {number}"})
            flood.ask("unsubscribe", {"topic": f"flood {number}"})
        other.ask("subscribe", {"topic": "MINE"})
        wait_until(lambda: {"event": "subscribe", "topic": "MINE"} in served.words(), GUARD_S, "a topic that stays")
        told = len(served.words())
        assert told <= 2 * _MOST_WORDS + (time.monotonic() - began_s) / _WORD_S, "however long the flood took"
        assert served.topics.all() == ("CHAT", "MINE")


def test_requests_come_in_any_pieces(served: Control) -> None:
    line = b'{"jsonrpc":"2.0","method":"status","id":%d}\n'
    with served.client() as client:
        for byte in line % 1:
            client.send(bytes([byte]))
        client.send(line % 2 + line % 3 + (line % 4)[:20])
        assert [client.line()["id"] for _ in range(3)] == [1, 2, 3]
        client.send((line % 4)[20:])
        assert client.line()["id"] == 4


def test_half_a_line_is_dropped_with_its_client(served: Control) -> None:
    with served.client() as client:
        client.send(b'{"jsonrpc":"2.0","method":"publish","params":{"topic":"T","data":1},"id":1}')
    with served.client() as client:
        client.ask("status")
    assert served.said == []


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_over_the_limit_ends_its_client_only(end: bytes, served: Control) -> None:
    with served.client() as bystander, served.client() as client:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.send(b" " * (MAX_LINE_BYTES + 1) + end)
        assert f"{MAX_LINE_BYTES} bytes are the most" in client.line()["error"]["message"]
        assert client.hung_up()
        assert served.thread.cut_off == 1
        assert bystander.ask("status")["result"] == STATUS


def test_a_line_at_the_limit_is_served(served: Control) -> None:
    with served.client() as client:
        line = b'{"jsonrpc":"2.0","method":"status","id":1}'
        client.send(line.rjust(MAX_LINE_BYTES) + b"\n")
        assert client.line()["result"] == STATUS


def test_one_client_too_many_is_turned_away_and_room_is_made_again(served: Control) -> None:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(served.client()) for _ in range(MAX_CLIENTS)]
        for client in clients:
            client.ask("status")
        with served.client() as one_more:
            told = one_more.line()
            assert (told["error"]["code"], told["id"]) == (UNAVAILABLE, None)
            assert told["error"]["message"].startswith(f"{MAX_CLIENTS} clients are the most")
            assert one_more.hung_up()
        assert served.thread.figures == {"clients": MAX_CLIENTS, "cut_off": 0, "refused": 1, "missed": 0, "dropped": 0}
        with pytest.raises(RpcError, match="clients are the most"), ControlClient(served.path) as one_more_program:
            one_more_program.call("status")
        assert clients[0].ask("status")["result"] == STATUS
        clients.pop().sock.close()

        def served_again() -> bool:
            with served.client() as newcomer, contextlib.suppress(EOFError, OSError):
                return bool(newcomer.ask("status").get("result") == STATUS)
            return False

        wait_until(served_again, GUARD_S, "room for another client")


def test_a_client_that_never_reads_is_cut_off_and_holds_up_nobody(tmp_path: Path) -> None:
    with control(tmp_path, patience_s=GUARD_S) as served, served.client() as deaf, served.client() as other:
        for client in (deaf, other):
            client.ask("status")
        hearing = Task(lambda: [other.line()["params"]["number"] for _ in range(4000)])
        for number in range(4000):
            served.thread.publish("state", {"text": "x" * 200, "number": number})
        assert hearing.result() == list(range(4000))
        served.thread._patience_s = 0.3  # only now: who reads may be held up by this machine
        wait_until(lambda: served.thread.cut_off == 1, GUARD_S, "the deaf client to be cut off")
        assert deaf.hung_up()


def test_a_client_that_asks_and_asks_without_reading_is_cut_off(tmp_path: Path) -> None:
    with control(tmp_path, patience_s=0.3) as served, served.client() as client, served.client() as deaf:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while True:
                deaf.send(b'{"jsonrpc":"2.0","method":"status","id":1}\n' * 100)
        assert served.thread.cut_off == 1
        assert client.ask("status")["result"] == STATUS


def message(topic: str, text: str) -> dict[str, str]:
    return {"topic": topic, "text": text}


def test_messages_go_to_the_subscribers_of_their_topic_and_states_to_all(served: Control) -> None:
    with served.client() as ours, served.client() as theirs, served.client() as nobody:
        ours.ask("subscribe", {"topic": "A"})
        theirs.ask("subscribe", {"topic": "B"})
        nobody.ask("status")
        served.thread.publish("message", message("A", "one"))
        served.thread.publish("message", message("C", "two"))
        served.thread.publish("message", message("B", "three"))
        served.thread.publish("state", {"state": "waiting"})
        assert ours.line() == {"jsonrpc": "2.0", "method": "message", "params": message("A", "one")}
        assert theirs.line()["params"] == message("B", "three")
        for client in (ours, theirs, nobody):
            assert client.line()["params"] == {"state": "waiting"}
        ours.ask("unsubscribe", {"topic": "A"})
        served.thread.publish("message", message("A", "four"))
        served.thread.publish("state", {"state": "streaming"})
        assert ours.line()["method"] == "state"


def test_a_method_with_a_bug_is_an_error_of_that_method_alone(served: Control) -> None:
    with served.client() as client:
        answer = client.ask("broken", request_id=8)
        assert (answer["error"]["code"], answer["id"]) == (INTERNAL_ERROR, 8)
        client.send(b'{"jsonrpc":"2.0","method":"broken"}\n')
        assert client.ask("status")["result"] == STATUS


def test_a_subscription_that_failed_is_none(served: Control) -> None:
    served.topics.follow(str(number) for number in range(MAX_TOPICS))
    with served.client() as client:
        assert "error" in client.ask("subscribe", {"topic": "A"})
        served.thread.publish("message", message("A", "one"))
        served.thread.publish("state", {})
        assert client.line()["method"] == "state"


def test_the_socket_is_for_its_owner_and_group(served: Control) -> None:
    assert stat.S_IMODE(served.path.stat().st_mode) == 0o660


def test_a_socket_left_by_a_killed_daemon_is_taken_over(tmp_path: Path) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "control.sock"))
    left.close()
    with control(tmp_path) as running, running.client() as client:
        assert client.ask("status")["result"] == STATUS


def test_stopping_hangs_up_on_everybody(tmp_path: Path) -> None:
    with control(tmp_path) as running:
        client = running.client()
        client.ask("status")
    assert client.hung_up()
    client.sock.close()


def test_without_descriptors_nothing_spins_and_later_clients_are_served(served: Control) -> None:
    with served.client() as before:
        before.ask("status")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        waiting = socket.socket(socket.AF_UNIX)
        waiting.settimeout(GUARD_S)
        highest = max(int(name) for name in os.listdir("/proc/self/fd"))
        blocked: list[int] = []
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, hard))
            with contextlib.suppress(OSError):
                while True:
                    blocked.append(os.dup(0))
            waiting.connect(str(served.path))
            cpu_s = time.clock_gettime(clock_of(served))
            assert before.ask("status")["result"] == STATUS
            time.sleep(0.3)
            assert time.clock_gettime(clock_of(served)) - cpu_s < 0.15
        finally:
            for descriptor in blocked:
                os.close(descriptor)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        waiting.sendall(b'{"jsonrpc":"2.0","method":"status","id":1}\n')
        assert json.loads(waiting.recv(65536))["result"] == STATUS
        waiting.close()
