"""Webhooks over real HTTP, signed by the stand-in: what is taken, what is refused, and what is left of each."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import select

from ingestd.broker.model import EVENTS
from tests.rig.broker import BrokerProcess
from tests.standin.client import StandIn
from tests.unit.broker import signing

pytest_plugins = ("tests.standin.fixtures",)

BODY = b'{"webhookType":"call-started", "data":{"callId":"c1","roomId":"abcd"}}'


@pytest.fixture(scope="module")
def running(standin_process: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    with BrokerProcess(tmp_path_factory.mktemp("broker"), standin_process) as broker:
        yield broker


@pytest.fixture
def broker(running: BrokerProcess) -> BrokerProcess:
    """A broker without any event. It knows the key, and may ask for it some times yet: no test with it rotates that."""
    with running.open_storage() as storage, storage.writing() as connection:
        connection.execute(EVENTS.delete())
    return running


@pytest.fixture(scope="module")
def rotating_process() -> Iterator[StandIn]:
    with StandIn() as process:
        yield process


@pytest.fixture
def rotating(rotating_process: StandIn) -> Iterator[StandIn]:
    """A stand-in whose key is this module's to rotate."""
    yield rotating_process
    rotating_process.reset()


@pytest.fixture
def fresh(rotating: StandIn, tmp_path: Path) -> Iterator[BrokerProcess]:
    """A broker that has never asked `rotating` for the key, and has logged nothing."""
    with BrokerProcess(tmp_path, rotating) as broker:
        yield broker


def _post(broker: BrokerProcess, body: bytes, signature: str | None) -> requests.Response:
    headers = {"Content-Type": "application/json"} | ({} if signature is None else {"videosdk-signature": signature})
    return requests.post(broker.webhook_url, data=body, headers=headers, timeout=20)


def _kept(broker: BrokerProcess) -> list[bytes]:
    with broker.open_storage() as storage, storage.reading() as connection:
        return [body.encode() for body in connection.scalars(select(EVENTS.c.body).order_by(EVENTS.c.id))]


def _count(broker: BrokerProcess, outcome: str) -> float:
    for line in broker.get("/metrics").text.splitlines():
        if line.startswith("ingestd_broker_webhooks_total{") and f'"{outcome}"' in line:
            return float(line.split()[-1])
    raise AssertionError(f"no count of {outcome}")


def test_what_the_service_signed_is_kept_byte_for_byte_and_a_replay_once(
    broker: BrokerProcess, standin: StandIn
) -> None:
    signature = standin.sign(BODY)
    first = _post(broker, BODY, signature)
    assert (first.status_code, first.json()["stored"]) == (200, True)
    replays = [_post(broker, BODY, signature) for _ in range(3)]
    assert [(again.status_code, again.json()["stored"]) for again in replays] == [(200, False)] * 3
    assert _kept(broker) == [BODY]


RESERIALISED = json.dumps(json.loads(BODY)).encode()
REFUSED = {
    "tampered body": (BODY.replace(b"c1", b"c2"), "good"),
    "re-serialised body": (RESERIALISED, "good"),
    "another key": (BODY, "stranger"),
    "missing header": (BODY, None),
    "garbled header": (BODY, "%%%"),
    "empty body": (b"", "good"),
}


@pytest.mark.parametrize(("body", "signed"), REFUSED.values(), ids=REFUSED)
def test_what_the_service_did_not_sign_is_refused_with_a_trace(
    broker: BrokerProcess, standin: StandIn, body: bytes, signed: str | None
) -> None:
    signature = {"good": standin.sign(BODY), "stranger": signing.signed(BODY, "stranger")}.get(signed or "", signed)
    before, logged = _count(broker, "refused"), len(broker.log)
    answer = _post(broker, body, signature)
    assert (answer.status_code, answer.json()) == (
        401,
        {"message": "The signature is missing or wrong", "code": "bad-signature"},
    )
    assert _kept(broker) == []
    assert _count(broker, "refused") == before + 1
    traces = [line for line in broker.log[logged:].splitlines() if "webhook refused" in line]
    digest = hashlib.sha256(body).hexdigest()[:12]
    assert len(traces) == 1
    assert "WARNING" in traces[0]
    assert f"from 127.0.0.1, {len(body)} bytes, SHA-256 {digest}" in traces[0]
    assert "callId" not in traces[0]


def test_after_a_rotation_the_new_key_s_events_are_taken_at_once(fresh: BrokerProcess, rotating: StandIn) -> None:
    old = b'{"type":"a"}'
    assert _post(fresh, old, signature := rotating.sign(old)).status_code == 200
    rotating.rotate_key()
    new = b'{"type":"b"}'
    assert _post(fresh, new, rotating.sign(new)).status_code == 200
    assert _post(fresh, old, signature).status_code == 401
    assert _kept(fresh) == [old, new]


@pytest.mark.parametrize("body", [b"[]", b"null", b"no JSON", b"\xff\xfe", b"7"])
def test_what_is_authentic_and_no_event_is_400_and_not_kept(
    broker: BrokerProcess, standin: StandIn, body: bytes
) -> None:
    before = _count(broker, "unreadable")
    answer = _post(broker, body, standin.sign(body))
    assert (answer.status_code, answer.json()["code"]) == (400, "not-json")
    assert _kept(broker) == []
    assert _count(broker, "unreadable") == before + 1


def test_a_body_of_256_kib_is_taken_and_a_byte_more_is_not(broker: BrokerProcess, standin: StandIn) -> None:
    fits = b'{"padding":"' + b"x" * (256 * 1024 - 14) + b'"}'
    assert len(fits) == 256 * 1024
    assert _post(broker, fits, standin.sign(fits)).status_code == 200
    beyond = fits.replace(b"x", b"xx", 1)
    assert _post(broker, beyond, standin.sign(beyond)).status_code == 413
    assert _kept(broker) == [fits]


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
def test_a_body_of_a_mebibyte_is_413_with_a_trace_and_not_kept(
    fresh: BrokerProcess, rotating: StandIn, chunked: bool
) -> None:
    body = b'{"padding":"' + b"x" * (1024 * 1024) + b'"}'
    signature, logged, before = rotating.sign(body), len(fresh.log), _count(fresh, "refused")
    connection = http.client.HTTPConnection("127.0.0.1", fresh.port, timeout=20)
    pieces = [body[start : start + 65_536] for start in range(0, len(body), 65_536)]
    headers = {"videosdk-signature": signature} | ({"Transfer-Encoding": "chunked"} if chunked else {})
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it answers before it has read all
        connection.request(
            "POST", "/v1/webhooks/videosdk", iter(pieces) if chunked else body, headers, encode_chunked=chunked
        )
    answer = connection.getresponse()
    assert answer.status == 413
    connection.close()
    assert _kept(fresh) == []
    assert _count(fresh, "refused") == before + 1
    assert [line for line in fresh.log[logged:].splitlines() if "too large; from 127.0.0.1" in line]


def test_without_a_key_nothing_is_judged_and_the_sender_may_come_again(fresh: BrokerProcess, rotating: StandIn) -> None:
    rotating.rotate_key()
    rotating.configure(public_key_status=500)
    before, logged = _count(fresh, "unverified"), len(fresh.log)
    answer = _post(fresh, BODY, signature := rotating.sign(BODY))
    assert (answer.status_code, answer.json()["code"]) == (503, "no-key")
    assert int(answer.headers["Retry-After"]) >= 1
    assert _count(fresh, "unverified") == before + 1
    assert "webhook put off" in fresh.log[logged:]
    assert _kept(fresh) == []
    rotating.configure(public_key_status=200)
    assert _post(fresh, BODY, signature).status_code == 200


def test_a_flood_of_bad_signatures_is_no_flood_at_the_service(fresh: BrokerProcess, rotating: StandIn) -> None:
    signature, logged = rotating.sign(BODY), len(fresh.log)
    begun_s = time.monotonic()
    assert _post(fresh, BODY, signature).status_code == 200
    before = rotating.state()["key_requests"]
    with requests.Session() as http_:
        headers = {"videosdk-signature": signature}
        bodies = [b'{"number":%d}' % number for number in range(200)]
        answers = [http_.post(fresh.webhook_url, data=body, headers=headers, timeout=20) for body in bodies]
    assert {answer.status_code for answer in answers} == {401}
    asked, took_s = rotating.state()["key_requests"] - before, time.monotonic() - begun_s
    assert 1 <= asked <= 5 + took_s / 5
    assert fresh.log[logged:].count("webhook refused") <= 10 + took_s / 6
    assert _kept(fresh) == [BODY]


def _told(broker: BrokerProcess, *arguments: str) -> list[dict[str, Any]]:
    done = broker.command("events", "--json", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def _device(broker: BrokerProcess) -> dict[str, Any]:
    devices = {device["name"]: device for device in broker.get("/v1/devices").json()["devices"]}
    found: dict[str, Any] = devices["pump"]
    return found


def test_events_in_any_order_and_as_copies_join_their_session(broker: BrokerProcess, standin: StandIn) -> None:
    key = broker.add_device("pump")
    call_id = broker.post_session(key).json()["data"]["callId"]
    standin.configure(webhook_urls=[broker.webhook_url], webhook_hold_s=0.2, webhook_order="reversed", webhook_copies=2)
    before = len(standin.webhooks())
    standin.emit_webhooks("call-started", "call-answered", "call-hangup", callId=call_id)
    records = standin.wait_for(lambda: found if len(found := standin.webhooks(before)) == 6 else None, "all six", 30)
    assert [record.status for record in records] == [200] * 6
    kinds = ["call-hangup", "call-answered", "call-started"]
    told = _told(broker, "--device", "pump")
    assert [(one["kind"], one["device"], one["call_id"]) for one in told] == [(kind, "pump", call_id) for kind in kinds]
    assert _device(broker)["live"] is False


def test_the_broker_registers_itself_and_is_told_of_calls(broker: BrokerProcess, standin: StandIn) -> None:
    done = broker.command("webhook", "register", broker.webhook_url, "--event", "call-started")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"registered {broker.webhook_url} for call-started\n", "")
    assert standin.registered_webhooks() == [{"url": broker.webhook_url, "events": ["call-started"]}]
    standin.emit_webhooks("call-hangup")
    standin.emit_webhooks("call-started", callId="c9")
    standin.wait_for(lambda: _kept(broker), "the event", 30)
    assert [(one["kind"], one["call_id"]) for one in _told(broker)] == [("call-started", "c9")]


def test_a_service_that_refuses_the_registration_is_told(broker: BrokerProcess, standin: StandIn) -> None:
    standin.configure(auth_scheme="raw")
    done = broker.command("webhook", "register", broker.webhook_url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("ingestd-broker: ")
    assert "401" in done.stderr
    assert standin.api_secret not in done.stderr
