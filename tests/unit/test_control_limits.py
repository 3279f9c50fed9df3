"""What one client may ask of the control socket, and that the others do not notice."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingestd.control.connection import MAX_OPEN_REQUESTS, MAX_UNREAD_BYTES, MOST_UNREAD_BYTES
from ingestd.control.protocol import INVALID_REQUEST, UNAVAILABLE
from ingestd.threads.mailbox import Request
from tests.rig.process import wait_until
from tests.unit.control_case import STATUS, Client, Control, clock_of, control
from tests.unit.descriptors import left_open, open_descriptors
from tests.unit.peers import GUARD_S

PUBLISH = b'{"jsonrpc":"2.0","method":"publish","params":{"topic":"T","data":1},"id":%d}\n'


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Control]:
    with control(tmp_path) as running:
        yield running


def test_half_a_line_that_comes_to_no_end_cuts_off_its_client_and_none_that_is_just_silent(tmp_path: Path) -> None:
    with control(tmp_path, patience_s=0.3) as served:
        with served.client() as silent, served.client() as dripping, served.client() as blank:
            silent.ask("subscribe", {"topic": "CHAT"})
            blank.send(b"   ")
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                for _ in range(200):  # a byte now and then is no end of the line
                    dripping.send(b"[")
                    time.sleep(0.01)
            for client in (dripping, blank):
                told = client.line()
                assert (told["error"]["code"], told["id"]) == (INVALID_REQUEST, None)
                assert "complete within 0.3 s" in told["error"]["message"]
                assert client.hung_up()
            served.thread.publish("message", {"topic": "CHAT", "text": "hello"})
            assert silent.line()["params"]["text"] == "hello"
            assert silent.ask("status")["result"] == STATUS
        assert served.thread.cut_off == 2


def test_a_client_has_so_many_requests_open_and_no_more(served: Control) -> None:
    served.in_the_room.clear()
    with served.client() as greedy, served.client() as other:
        for number in range(MAX_OPEN_REQUESTS + 2):
            greedy.send(PUBLISH % number)
        for number in (MAX_OPEN_REQUESTS, MAX_OPEN_REQUESTS + 1):
            told = greedy.line()
            assert (told["error"]["code"], told["id"]) == (UNAVAILABLE, number)
            assert f"{MAX_OPEN_REQUESTS} requests of this connection" in told["error"]["message"]
        other.send(PUBLISH % 1)
        wait_until(lambda: len(served.outbox) == MAX_OPEN_REQUESTS + 1, GUARD_S, "the other's message")
        served.in_the_room.set()
        assert [greedy.line()["id"] for _ in range(MAX_OPEN_REQUESTS)] == list(range(MAX_OPEN_REQUESTS))
        assert greedy.ask("status")["result"] == STATUS


def test_messages_that_want_no_answer_count_as_well(served: Control) -> None:
    served.in_the_room.clear()
    with served.client() as greedy:
        greedy.send(b'{"jsonrpc":"2.0","method":"publish","params":{"topic":"T","data":1}}\n' * 40)
        assert "error" in greedy.ask("publish", {"topic": "T", "data": 1})
        assert greedy.ask("status")["result"] == STATUS
        assert len(served.outbox) == MAX_OPEN_REQUESTS
        assert served.thread.figures["dropped"] == 40 - MAX_OPEN_REQUESTS, "nobody else hears of them"


def test_a_subscriber_that_does_not_read_is_cut_off_and_the_others_miss_nothing(tmp_path: Path) -> None:
    text = "x" * 8000
    with control(tmp_path, patience_s=0.3) as served, served.client() as deaf, served.client() as other:
        for client in (deaf, other):
            client.ask("subscribe", {"topic": "CHAT"})
        sent = 0
        while not served.thread.cut_off:
            served.thread.publish("message", {"topic": "CHAT", "text": text, "id": sent})
            assert other.line()["params"]["id"] == sent
            sent += 1
        assert sent * len(text) > MAX_UNREAD_BYTES
        assert deaf.hung_up()  # it is counted as cut off a moment before it is gone
        assert served.thread.figures == {"clients": 1, "cut_off": 1, "refused": 0, "missed": 0, "dropped": 0}


def test_who_does_not_read_is_not_waited_for_either(served: Control) -> None:
    """Others hear the room at once, however many are behind."""
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(served.client()).ask("subscribe", {"topic": "T"})
        other = stack.enter_context(served.client())
        other.ask("subscribe", {"topic": "CHAT"})
        for _ in range(1000):
            served.thread.publish("message", {"topic": "T", "text": "x" * 1000})
        served.thread.publish("message", {"topic": "CHAT", "text": "hello"})
        assert other.line()["params"]["text"] == "hello"
        assert served.thread.cut_off == 0, "there is time to read yet"


def test_who_is_behind_is_served_once_it_has_read(served: Control) -> None:
    with served.client() as client:
        client.ask("subscribe", {"topic": "T"})
        for number in range(1000):
            served.thread.publish("message", {"topic": "T", "text": "x" * 1000, "id": number})
        wait_until(lambda: not served.thread._news, GUARD_S, "all to be told")
        client.send(b'{"jsonrpc":"2.0","method":"status","id":1}\n' * 20)
        assert [client.line()["params"]["id"] for _ in range(1000)] == list(range(1000))
        assert [client.line()["result"] for _ in range(20)] == [STATUS] * 20


def test_more_than_a_history_is_not_kept_for_anybody(served: Control) -> None:
    with served.client() as client:
        client.ask("subscribe", {"topic": "T"})
        for _ in range(MOST_UNREAD_BYTES // 1_000_000 + 2):
            for _ in range(50):
                served.thread.publish("message", {"topic": "T", "text": "x" * 20_000})
            wait_until(lambda: not served.thread._news, GUARD_S, "them to be told")
        wait_until(lambda: served.thread.cut_off == 1, GUARD_S, "the end of it")


def test_each_client_has_its_turn_however_much_another_asks(served: Control) -> None:
    look = threading.Event()

    def wait(_now: float) -> None:
        look.wait(GUARD_S)

    served.thread._chore = wait
    with contextlib.ExitStack() as stack:
        flood = stack.enter_context(served.client())
        line = b'{"jsonrpc":"2.0","method":"reconnect","id":%d}\n'
        flood.send(b"".join(line % number for number in range(300)))
        others = [stack.enter_context(served.client()) for _ in range(6)]
        for other in others:
            other.send(b'{"jsonrpc":"2.0","method":"hangup","id":1}\n')
        look.set()
        assert [other.line()["result"] for other in others] == ["hangup"] * 6
        assert [flood.line()["id"] for _ in range(300)] == list(range(300))
    hung_up = [number for number, (request, _) in enumerate(served.asked) if request is Request.HANG_UP]
    assert len(served.asked) == 306
    assert hung_up[-1] <= 6 + 2, "two lines of the flood at most before the last of the others"


def test_who_is_behind_and_goes_on_asking_keeps_nobody_busy(tmp_path: Path) -> None:
    with control(tmp_path, patience_s=10 * GUARD_S) as served, served.client() as deaf:
        deaf.sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                deaf.send(b'{"jsonrpc":"2.0","method":"status","id":1}\n' * 100)
                time.sleep(0.01)

        def idle() -> bool:
            cpu_s = time.clock_gettime(clock_of(served))
            time.sleep(0.5)
            return time.clock_gettime(clock_of(served)) - cpu_s < 0.02

        wait_until(idle, GUARD_S, "an end to what it had taken in")
        assert served.thread.figures["clients"] == 1


def test_a_flood_takes_a_share_of_the_processor(served: Control) -> None:
    answers: list[dict[str, Any]] = []

    def flood(client: Client) -> None:
        with contextlib.suppress(OSError, EOFError):
            while True:
                answers.append(client.ask("status"))

    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(served.client()) for _ in range(3)]
        threads = [threading.Thread(target=flood, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        clock = clock_of(served)
        time.sleep(0.3)  # what it may do at once is used up
        began_s, cpu_s = time.monotonic(), time.clock_gettime(clock)
        time.sleep(0.6)
        share = (time.clock_gettime(clock) - cpu_s) / (time.monotonic() - began_s)
        heard = len(answers)
        wait_until(lambda: len(answers) > heard + 50, GUARD_S, "more answers")
        for client in clients:
            client.sock.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()
    assert share < 0.3


def test_thousands_that_come_and_go_leave_nothing(served: Control) -> None:
    with served.client() as client:
        client.ask("status")
        before = open_descriptors()
        for _ in range(2000):
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(str(served.path))
        assert client.ask("status")["result"] == STATUS
        wait_until(lambda: served.thread.figures["clients"] == 1, GUARD_S, "the end of all others")
        wait_until(lambda: not left_open(before), GUARD_S, "their sockets to be closed")


def test_a_storm_without_descriptors_leaves_the_others_served(served: Control) -> None:
    with contextlib.ExitStack() as stack:
        before = stack.enter_context(served.client())
        before.ask("status")
        storm = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(20)]
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        highest = max(int(name) for name in os.listdir("/proc/self/fd"))
        blocked: list[int] = []
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, hard))
            with contextlib.suppress(OSError):
                while True:
                    blocked.append(os.dup(0))
            os.close(blocked.pop())  # one can be let in
            for sock in storm:
                sock.connect(str(served.path))
            for _ in range(5):
                assert before.ask("status")["result"] == STATUS
        finally:
            for descriptor in blocked:
                os.close(descriptor)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for sock in storm:
            sock.settimeout(GUARD_S)
            sock.sendall(b'{"jsonrpc":"2.0","method":"status","id":1}\n')
            assert json.loads(sock.recv(65536))["result"] == STATUS
