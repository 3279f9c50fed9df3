"""The broker as a service: connections, signals, processes. All of it as a process of its own."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme

from tests.rig.broker import BrokerProcess
from tests.rig.process import wait_until
from tests.rig.raw_service import RawService
from tests.unit.broker import signing

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: b\r\n\r\n"
CLOSE = HEALTH.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
SECRET = "s3cr3t-of-a-device"


def started(directory: Path, service: str = "http://127.0.0.1:9", **settings: Any) -> BrokerProcess:
    """A broker whose service is at that URL; nobody is there by default."""
    directory.mkdir(exist_ok=True)
    (directory / "token").write_text("a-token\n")
    videosdk = {"token_file": str(directory / "token"), **settings.pop("videosdk", {})}
    return BrokerProcess(directory, service, videosdk=videosdk, **settings)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """One with few threads."""
    directory = tmp_path_factory.mktemp("broker")
    with started(directory, listen={"threads": 4}, log={"level": "debug"}) as process:
        yield process


def connected(broker: BrokerProcess) -> socket.socket:
    return socket.create_connection(("127.0.0.1", broker.port), 10)


def answers(broker: BrokerProcess, *sent: bytes) -> bytes:
    """All that comes back until the connection ends, be it in the midst of what is sent."""
    found = b""
    with connected(broker) as client:
        with contextlib.suppress(ConnectionError):  # who is refused has two seconds to send the rest
            for piece in sent:
                client.sendall(piece)
        with contextlib.suppress(ConnectionError):  # which comes after what was answered
            while data := client.recv(65536):
                found += data
    return found


def test_who_is_slow_takes_no_thread(broker: BrokerProcess) -> None:
    slow = [connected(broker) for _ in range(12)]
    for number, client in enumerate(slow):
        client.sendall([b"", b"GET /hea", HEALTH[:-1]][number % 3])
    assert answers(broker, CLOSE).startswith(b"HTTP/1.1 200 OK\r\n")
    slow[2].sendall(HEALTH[-1:])
    assert slow[2].recv(100).startswith(b"HTTP/1.1 200 OK\r\n")
    for client in slow:
        client.close()


def test_requests_that_come_together_are_answered_in_order(broker: BrokerProcess) -> None:
    found = answers(broker, HEALTH + HEALTH.replace(b"/healthz", b"/nothing") + CLOSE)
    assert re.findall(rb"HTTP/1\.1 (\d+)", found) == [b"200", b"404", b"200"]


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 1048576\r\n", b"Transfer-Encoding: chunked\r\n"], ids=["length", "chunks"]
)
def test_too_large_a_body_is_refused_while_it_is_sent(broker: BrokerProcess, framing: bytes) -> None:
    body = b"x" * 1048576 if b"Length" in framing else b"10000\r\n" + b"x" * 65536 + b"\r\n"
    head = b"POST /v1/webhooks/videosdk HTTP/1.1\r\nHost: b\r\n" + framing + b"\r\n"
    found = answers(broker, head, *([body] if b"Length" in framing else [body] * 6))
    assert found.startswith(b"HTTP/1.1 413 ")


def test_a_body_in_chunks_comes_in_whole(broker: BrokerProcess) -> None:
    head = b"POST /v1/webhooks/videosdk HTTP/1.1\r\nHost: b\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    found = answers(broker, head, b"1\r\n{\r\n", b"1\r\n}\r\n0\r\n\r\n")
    assert found.startswith(b"HTTP/1.1 401 ")
    assert "webhook refused" in broker.log


def test_who_waits_to_be_told_to_go_on_is_told(broker: BrokerProcess) -> None:
    head = b"POST /v1/sessions HTTP/1.1\r\nHost: b\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    with connected(broker) as client:
        client.sendall(head)
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"{}")
        wait_until(lambda: b" 401 " in client.recv(1000, socket.MSG_PEEK), 20, "the answer")


@pytest.mark.parametrize(
    "field",
    [
        b"Authorization " + SECRET.encode(),
        b"Authorization: " + SECRET.encode() + b"\x00",
        b"\x1b[2J: x",
        b"A_B: x\r\n y",
    ],
)
def test_what_is_no_request_is_refused_and_not_logged(broker: BrokerProcess, field: bytes) -> None:
    found = answers(broker, b"GET /healthz HTTP/1.1\r\n" + field + b"\r\n\r\n")
    assert found.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b'"code": "bad-request"' in found
    assert SECRET not in broker.log
    assert "\x1b" not in broker.log


def test_no_version_is_told(broker: BrokerProcess) -> None:
    assert b"\r\nServer: gunicorn\r\n" in answers(broker, CLOSE)


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = started(tmp_path, port=taken.getsockname()[1]).command("serve")
    assert done.returncode == 1
    assert "can't listen on 127.0.0.1:" in done.stderr
    assert "Address already in use; see who does (ss -ltnp), or change listen.address" in done.stderr


def test_a_process_that_dies_is_replaced_and_figures_of_all_are_told(tmp_path: Path) -> None:
    with started(tmp_path, listen={"workers": 2}) as broker:
        wait_until(lambda: len(broker.workers) == 2, 20, "both")
        for _ in range(12):
            assert broker.post_session("wrong").status_code == 401
        before = set(broker.workers)
        os.kill(min(before), signal.SIGKILL)
        wait_until(lambda: len(broker.workers) == 2 and set(broker.workers) != before, 20, "another")
        told = [line for line in broker.get("/metrics").text.splitlines() if "keys_refused_total " in line]
        assert [float(line.split()[1]) for line in told if not line.startswith("#")] == [12.0]
        assert broker.stop() == 0


def test_systemd_is_told_when_it_listens(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(str(tmp_path / "notify"))
        notified.settimeout(20)
        with started(tmp_path, env={"NOTIFY_SOCKET": str(tmp_path / "notify")}):
            assert notified.recv(1000).startswith(b"READY=1\n")


def test_who_is_being_answered_is_answered_to_the_end(tmp_path: Path) -> None:
    asked = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as service:

        def answer_late() -> None:
            client, _ = service.accept()
            with client:
                client.recv(65536)
                asked.set()
                time.sleep(0.7)
                client.sendall(b"HTTP/1.1 422 No\r\nContent-Length: 18\r\n\r\n" + b'{"message":"late"}')

        threading.Thread(target=answer_late, daemon=True).start()
        with started(tmp_path, f"http://127.0.0.1:{service.getsockname()[1]}") as broker:
            key = broker.add_device("a")
            found: list[int] = []
            asking = threading.Thread(target=lambda: found.append(broker.post_session(key).status_code))
            asking.start()
            assert asked.wait(20)
            assert broker.stop() == 0
            asking.join()
    assert found == [422]


def served_certificate(broker: BrokerProcess, ca: trustme.CA) -> bytes:
    context = ssl.create_default_context()
    ca.configure_trust(context)
    with connected(broker) as client, context.wrap_socket(client, server_hostname="localhost") as tls:
        tls.sendall(CLOSE)
        assert tls.recv(1000).startswith(b"HTTP/1.1 200 OK")
        return tls.getpeercert(True) or b""


def test_sighup_takes_the_new_certificate_and_no_broken_one(tmp_path: Path) -> None:
    ca = trustme.CA()
    with started(tmp_path, tls=True, ca=ca) as broker:
        first = served_certificate(broker, ca)
        renewed = ca.issue_cert("localhost", "127.0.0.1")
        renewed.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
        os.kill(broker.pid, signal.SIGHUP)
        wait_until(lambda: "stays" in broker.log, 20, "the refusal")
        assert "key values mismatch" in broker.log
        assert served_certificate(broker, ca) == first
        renewed.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
        before = broker.workers
        os.kill(broker.pid, signal.SIGHUP)
        wait_until(lambda: "read anew" in broker.log, 20, "the reload")
        # While it lives the old process may take us, and leave us after two seconds.
        wait_until(lambda: len(broker.workers) == 1 and broker.workers != before, 20, "the end of the old process")
        assert served_certificate(broker, ca) != first


def test_sighup_with_a_fault_changes_nothing(tmp_path: Path) -> None:
    with started(tmp_path) as broker:
        broker.config.write_text("listen: {worker: 1}\n")
        os.kill(broker.pid, signal.SIGHUP)
        wait_until(lambda: "so the one from before stays" in broker.log, 20, "the refusal")
        assert "broker.yaml:1: listen.worker: is not a key" in broker.log
        assert broker.get("/healthz").status_code == 200


@pytest.mark.full  # for its seconds
def test_who_waits_too_long_for_a_thread_is_told_to_come_again(tmp_path: Path) -> None:
    with RawService(signing.pem()) as service, started(tmp_path, service.url, listen={"threads": 4}) as broker:
        assert posted_webhook(broker, 0) == 200
        with broker.open_storage() as storage, storage.writing():  # so that whatever else is to be written waits
            late = broker.get("/healthz")
            while late.status_code == 200:  # again where this machine was late, and they did not wait side by side
                asking = [threading.Thread(target=posted_webhook, args=(broker, number)) for number in range(1, 5)]
                for one in asking:
                    one.start()
                while late.status_code == 200 and any(one.is_alive() for one in asking):  # until all threads are taken
                    late = broker.get("/healthz")
                for one in asking:
                    one.join()
        assert late.status_code == 429
        assert late.json() == {"message": "The broker is busy", "code": "busy"}
        assert 2 <= int(late.headers["Retry-After"]) <= 10
        wait_until(lambda: "1 requests were told to come again: all 4 threads are busy" in broker.log, 20, "the log")
        assert broker.get("/healthz").status_code == 200


def posted_webhook(broker: BrokerProcess, number: int) -> int:
    body = b'{"webhookType":"call-started","data":{"callId":"c%d"}}' % number
    return requests.post(broker.webhook_url, body, headers={"videosdk-signature": signing.signed(body)}).status_code
