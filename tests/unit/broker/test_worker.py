"""How a process of the broker treats connections: too many, refused, under way when it has to stop. As it runs."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig.broker import BrokerProcess
from tests.rig.process import wait_until

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: b\r\n\r\n"
CLOSE = HEALTH.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
POST = b"POST /v1/sessions HTTP/1.1\r\nHost: b\r\nContent-Length: 2\r\n\r\n"
FILES = 612
PLACES = 100
"""That such a process has: some files are for other things."""
BEGINS_WITHIN_S = 1.5
"""A process that has to stop waits half a second longer for a request that is on its way."""


class WithFewFiles(BrokerProcess):
    def _command(self, *arguments: str) -> list[str]:
        return ["prlimit", f"--nofile={FILES}", *super()._command(*arguments)]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """One with few places."""
    with started(tmp_path_factory.mktemp("broker"), WithFewFiles) as process:
        yield process


def started(
    directory: Path, kind: type[BrokerProcess] = BrokerProcess, *, tls: bool = False, workers: int = 1
) -> BrokerProcess:
    (directory / "token").write_text("a-token\n")
    videosdk = {"token_file": str(directory / "token")}
    return kind(directory, "http://127.0.0.1:9", tls=tls, listen={"workers": workers}, videosdk=videosdk)


def connected(broker: BrokerProcess) -> socket.socket:
    return socket.create_connection(("127.0.0.1", broker.port), 8)  # less than a request has to come in


def rest(client: socket.socket) -> bytes:
    """All until its end."""
    found = b""
    while data := client.recv(65536):
        found += data
    return found


def statuses(found: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+)", found)]


@pytest.mark.parametrize("sent", [b"", b"GET /hea"], ids=["silent", "half a line"])
def test_more_silent_clients_than_places_keep_nobody_out(broker: BrokerProcess, sent: bytes) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(3 * PLACES):
            client = stack.enter_context(connected(broker))
            with contextlib.suppress(OSError):  # that it had to go is right
                client.sendall(sent)
        for _ in range(5):
            with connected(broker) as client:
                client.sendall(CLOSE)
                assert statuses(rest(client)) == [200]
    told = f"ended before a request had come in on them: all {PLACES} places were taken"
    wait_until(lambda: told in broker.log, 20, "the log")


@pytest.mark.parametrize(
    "refused",
    [
        HEALTH.replace(b"1.1", b"3.0"),
        HEALTH.replace(b"GET", b"G{T"),
        HEALTH.replace(b"Host: b", b"Host: b\r\nX(y: z"),
    ],
    ids=["version", "method", "name"],
)
def test_a_connection_ends_with_the_request_that_is_refused(broker: BrokerProcess, refused: bytes) -> None:
    with connected(broker) as client:
        client.sendall(HEALTH)
        assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
        client.sendall(refused + HEALTH)
        assert statuses(rest(client)) == [400]


def test_who_waits_to_go_on_is_told_once(broker: BrokerProcess) -> None:
    with connected(broker) as client:
        client.sendall(POST.replace(b"Host: b", b"Host: b\r\nConnection: close\r\nExpect: 100-continue"))
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"{}")
        assert statuses(rest(client)) == [401]


def test_what_has_begun_when_a_process_is_replaced_is_answered(tmp_path: Path) -> None:
    with started(tmp_path) as broker:
        wait_until(lambda: replaced_in_time(broker), 60, "a replacement in which this machine was not late")
        assert broker.get("/healthz").status_code == 200
        assert broker.stop() == 0
        assert "ERROR" not in broker.log


def replaced_in_time(broker: BrokerProcess) -> bool:
    """Replaces its process; False where this machine was too late to ask for anything that is promised."""
    before = broker.workers
    with connected(broker) as half, connected(broker) as silent, connected(broker) as kept:
        half.sendall(POST)
        kept.sendall(HEALTH)
        assert kept.recv(65536).startswith(b"HTTP/1.1 200 ")  # so those before were taken too
        told_s = time.monotonic()
        os.kill(broker.pid, signal.SIGHUP)
        assert kept.recv(1) == b""  # once the old process has been told to stop: idle ones end, at once
        silent.sendall(HEALTH)
        if in_time := time.monotonic() - told_s < BEGINS_WITHIN_S:
            assert b"\r\nConnection: close\r\n" in (found := rest(silent))
            assert statuses(found) == [200]
            half.sendall(b"{}" + HEALTH)
            assert statuses(rest(half)) == [401]
    wait_until(lambda: len(broker.workers) == 1 and broker.workers != before, 20, "the end of the old process")
    return in_time


def test_what_has_begun_when_the_broker_is_stopped_is_answered(tmp_path: Path) -> None:
    with started(tmp_path) as broker, connected(broker) as half:
        half.sendall(POST)
        assert broker.get("/healthz").status_code == 200
        os.kill(broker.pid, signal.SIGTERM)
        wait_until(lambda: refused(broker), 5, "no more connections to be taken")
        half.sendall(b"{}")
        assert statuses(rest(half)) == [401]
        assert broker.ended() == 0


def refused(broker: BrokerProcess) -> bool:
    with contextlib.suppress(ConnectionRefusedError), connected(broker):
        return False
    return True


@pytest.mark.full  # for its seconds
def test_no_connection_is_cut_off_by_reloads(tmp_path: Path) -> None:
    found: Counter[str] = Counter()
    over = threading.Event()
    with started(tmp_path, tls=True, workers=2) as broker:
        context = ssl.create_default_context(cafile=str(broker.verify))

        def ask_on() -> None:
            while not over.is_set():
                try:
                    with connected(broker) as tcp, context.wrap_socket(tcp, server_hostname="localhost") as client:
                        client.sendall(CLOSE)
                        found[str(statuses(client.recv(65536)))] += 1
                except OSError as error:
                    found[repr(error)] += 1

        threads = [threading.Thread(target=ask_on) for _ in range(6)]
        for thread in threads:
            thread.start()
        for _ in range(5):
            os.kill(broker.pid, signal.SIGHUP)
            time.sleep(1.5)
        over.set()
        for thread in threads:
            thread.join()
        assert "ERROR" not in broker.log
    assert set(found) == {"[200]"}, found
