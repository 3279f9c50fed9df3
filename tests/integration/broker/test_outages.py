"""The database or the service fails: whoever asks is told when to come again, and it goes on by itself after."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import requests

from tests.rig.broker import BrokerProcess
from tests.rig.free_port import free_port
from tests.rig.postgres import Postgres
from tests.rig.process import wait_until
from tests.rig.raw_service import RawService
from tests.standin.client import SessionFault, StandIn
from tests.unit.broker import signing

pytest_plugins = ("tests.standin.fixtures",)

WITHIN_S = 30.0
AGAIN_WITHIN_S = 60


def webhook(broker: BrokerProcess, body: bytes) -> requests.Response:
    """One that the service has signed, where the service is a RawService."""
    headers = {"videosdk-signature": signing.signed(body)}
    with requests.Session() as http:
        http.trust_env = False
        return http.post(broker.webhook_url, data=body, headers=headers, timeout=30)


def put_off(answer: requests.Response, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (503, code), answer.text
    assert 1 <= int(answer.headers["Retry-After"]) <= AGAIN_WITHIN_S


@contextmanager
def with_token(directory: Path, database: str | None = None) -> Iterator[BrokerProcess]:
    """A broker that asks a service which answers all as it should."""
    directory.mkdir(exist_ok=True)
    (directory / "token").write_text("a-token-of-the-service")
    token = {"token_file": str(directory / "token")}
    with (
        RawService(signing.pem()) as service,
        BrokerProcess(directory, service.url, database=database, videosdk=token) as broker,
    ):
        yield broker


def test_postgresql_stopped_and_started(tmp_path: Path, postgres: Postgres) -> None:
    with with_token(tmp_path, postgres.database()) as broker:
        key = broker.add_device("field-1")
        assert broker.post_session(key).status_code == 200
        assert webhook(broker, b'{"type":"before"}').status_code == 200
        workers = broker.workers
        postgres.stop()
        try:
            for _ in range(3):
                put_off(broker.post_session(key), "database")
                put_off(broker.post_session("igd_" + "0" * 16 + "_" + "0" * 64), "database")
                put_off(webhook(broker, b'{"type":"meanwhile"}'), "database")
                put_off(broker.get("/v1/devices"), "database")
            health = broker.get("/healthz")
            assert (health.status_code, health.json()) == (503, {"status": "failing", "why": "database"})
            failed = broker.command("device", "list")
        finally:
            postgres.start()
        wait_until(lambda: broker.post_session(key).status_code == 200, WITHIN_S, "a session")
        assert webhook(broker, b'{"type":"meanwhile"}').json()["stored"] is True
        assert webhook(broker, b'{"type":"before"}').json()["stored"] is False
        assert broker.get("/healthz").status_code == 200
        assert broker.workers == workers
        assert (failed.returncode, failed.stdout) == (1, "")
        assert failed.stderr.startswith("ingestd-broker: ")
        for told in (broker.log, failed.stderr):
            assert postgres.password not in told
            assert "Traceback" not in told
        assert "the database can't be used: " in broker.log


def test_sqlite_locked_by_another(tmp_path: Path) -> None:
    with with_token(tmp_path) as broker:
        key = broker.add_device("field-1")
        answers: list[requests.Response] = []
        asking = [
            threading.Thread(target=lambda: answers.append(broker.post_session(key))),
            threading.Thread(target=lambda: answers.append(webhook(broker, b'{"type":"meanwhile"}'))),
        ]
        with closing(sqlite3.connect(tmp_path / "broker.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for thread in asking:
                thread.start()
            assert broker.get("/healthz").status_code == 200, "who only reads waits for nobody"
            for thread in asking:
                thread.join()
            other.execute("ROLLBACK")
        for answer in answers:
            put_off(answer, "database")
        assert broker.post_session(key).status_code == 200
        assert webhook(broker, b'{"type":"meanwhile"}').json()["stored"] is True


@contextmanager
def small_disk(path: Path, size_bytes: int) -> Iterator[Path]:
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


@pytest.mark.root
def test_a_full_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 2 << 20) as disk:
        with with_token(tmp_path / "broker", f"sqlite:///{disk}/broker.db") as broker:
            key = broker.add_device("field-1")
            assert broker.post_session(key).status_code == 200
            stored = 0
            with (disk / "filling").open("wb", buffering=0) as filling:
                with contextlib.suppress(OSError):  # there is no more room
                    while True:
                        filling.write(bytes(4096))
                answer = webhook(broker, b'{"type":"0"}')
                while answer.status_code == 200:  # what the log's file has room for
                    stored += 1
                    answer = webhook(broker, json.dumps({"type": str(stored), "data": "x" * 20_000}).encode())
                put_off(answer, "database")
                put_off(broker.post_session(key), "database")
                filling.truncate(0)
            assert broker.post_session(key).status_code == 200
            assert webhook(broker, b'{"type":"after"}').json()["stored"] is True
            assert "disk is full" in broker.log
        with closing(sqlite3.connect(disk / "broker.db")) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert database.execute("SELECT count(*) FROM events").fetchone() == (stored + 1,)


@pytest.mark.parametrize("status", [401, 403])
def test_the_brokers_own_token_is_no_fault_of_the_device(standin: StandIn, tmp_path: Path, status: int) -> None:
    with BrokerProcess(tmp_path, standin) as broker:
        key = broker.add_device("field-1")
        assert broker.post_session(key).status_code == 200
        time.sleep(1.1)  # a token of the same second would be the same token
        standin.fail_sessions(SessionFault(status=status, message="Token is invalid or expired"))
        assert broker.post_session(key).status_code == 200, "with another token"
        assert "ERROR" not in broker.log
        standin.fail_sessions(SessionFault(status=status, message="Token is invalid or expired"), times=20)
        for _ in range(2):
            answer = broker.post_session(key)
            assert answer.status_code == 503
            assert int(answer.headers["Retry-After"]) >= 1
            assert "WWW-Authenticate" not in answer.headers
            assert "expired" not in answer.text
        assert "ERROR" in broker.log
        standin.clear_faults()
        assert broker.post_session(key).status_code == 200


def test_a_service_that_is_slow(standin: StandIn, tmp_path: Path) -> None:
    with BrokerProcess(tmp_path, standin, videosdk={"timeout_s": 6.0}) as broker:
        key = broker.add_device("field-1")
        standin.fail_sessions(SessionFault(stall_s=30.0))
        assert broker.post_session(key).status_code == 504
        assert broker.post_session(key).status_code == 200


def test_what_the_service_says_of_the_request_is_passed_on(standin: StandIn, tmp_path: Path) -> None:
    with BrokerProcess(tmp_path, standin) as broker:
        key = broker.add_device("field-1")
        standin.fail_sessions(SessionFault(status=429, retry_after="7", message="slowly"))
        answer = broker.post_session(key)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
        for status in (400, 402, 404, 409):
            standin.fail_sessions(SessionFault(status=status, message=f"said {status}"))
            answer = broker.post_session(key)
            assert answer.status_code == status
            assert f"said {status}" in answer.json()["message"]
            assert answer.headers["x-request-id"]
        standin.fail_sessions(SessionFault(status=500))
        assert broker.post_session(key).status_code == 502
        standin.fail_sessions(SessionFault(abort=True), times=2)
        assert broker.post_session(key).status_code in (502, 504)


def test_a_service_that_is_gone_and_comes_back_with_another_secret(tmp_path: Path) -> None:
    port = free_port()
    with StandIn(port=port) as before:
        broker = BrokerProcess(tmp_path, before)
        broker.start()
        key = broker.add_device("field-1")
        try:
            assert broker.post_session(key).status_code == 200
            before.kill()
            assert broker.post_session(key).status_code in (502, 504)
            with StandIn(port=port) as after:
                assert broker.post_session(key).status_code == 503, "the token that it has is refused"
                (tmp_path / "api-secret").write_text(after.api_secret)
                assert broker.post_session(key).status_code == 200
            for secret in (before.api_secret, after.api_secret, key):
                assert secret not in broker.log
        finally:
            broker.stop()
