"""The stand-in's lifecycle webhooks are signed as the vendor signs them."""

from __future__ import annotations

import base64
import json
import ssl
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from tests.standin import certificates
from tests.standin.client import StandIn, WebhookRecord
from tests.standin.probe import Probe

pytest_plugins = ("tests.standin.fixtures",)


class _Receiver:
    """Keeps every POST: signature header (or None) and raw body."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        posts: list[tuple[str | None, bytes]] = []
        answers: list[int] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                posts.append((self.headers["videosdk-signature"], self.rfile.read(length)))
                self.send_response(answers.pop(0) if answers else 204)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self.posts = posts
        self.answers = answers
        """Statuses of the next answers; then 204."""
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls is not None:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.server.server_port}/{uuid.uuid4()}"
        self.thread = threading.Thread(
            target=self.server.serve_forever, args=(0.01,), name="webhook receiver", daemon=True
        )
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def records(self, standin: StandIn) -> list[WebhookRecord]:
        """What the stand-in recorded of posts to this one: one of an earlier test's may be added only now."""
        return [record for record in standin.webhooks() if record.url == self.url]

    def events(self) -> list[str]:
        return [json.loads(body)["webhookType"] for _, body in self.posts]

    def numbers(self) -> list[int]:
        return [json.loads(body)["data"]["number"] for _, body in self.posts]


@pytest.fixture
def receiver() -> Iterator[_Receiver]:
    receiver = _Receiver()
    yield receiver
    receiver.stop()


def _one_call(standin: StandIn) -> str:
    session = standin.create_session(participant_id="dev")
    with Probe(session.ws_url) as device:
        device.wait("meeting-joined")
        device.send("stop")
        device.wait_closed()
    return session.call_id


def _verify(standin: StandIn, signature: str | None, body: bytes) -> None:
    """Raise InvalidSignature unless the public key verifies the raw body."""
    _public_key(standin).verify(base64.b64decode(signature or ""), body, padding.PKCS1v15(), hashes.SHA256())


def _public_key(standin: StandIn) -> rsa.RSAPublicKey:
    key = load_pem_public_key(standin.get("/v2/public/rsa-public-key", {}).json()["publicKey"].encode())
    assert isinstance(key, rsa.RSAPublicKey)
    return key


def test_each_session_reports_started_answered_and_hangup_in_order(standin: StandIn, receiver: _Receiver) -> None:
    standin.configure(webhook_urls=[receiver.url])
    call_id = _one_call(standin)
    standin.wait_for(lambda: len(receiver.posts) == 3)
    assert receiver.events() == ["call-started", "call-answered", "call-hangup"]
    for signature, body in receiver.posts:
        _verify(standin, signature, body)
        data = json.loads(body)["data"]
        assert (data["callId"], data["roomId"], data["participantId"]) == (call_id, standin.room, "dev")
    assert json.loads(receiver.posts[-1][1])["data"]["reason"] == "stopped by the client"


def test_a_session_that_never_joins_is_not_answered(standin: StandIn, receiver: _Receiver) -> None:
    standin.configure(webhook_urls=[receiver.url], join_delay_s=60)
    with Probe(standin.create_session().ws_url):
        standin.wait_for(lambda: receiver.posts)
    standin.wait_for(lambda: len(receiver.posts) == 2)
    assert receiver.events() == ["call-started", "call-hangup"]


def test_the_body_is_signed_byte_for_byte(standin: StandIn, receiver: _Receiver) -> None:
    standin.configure(webhook_urls=[receiver.url])
    _one_call(standin)
    signature, body = standin.wait_for(lambda: receiver.posts)[0]
    reserialised = json.dumps(json.loads(body), indent=1).encode()
    with pytest.raises(InvalidSignature):
        _verify(standin, signature, reserialised)


def test_a_rotated_key_signs_what_comes_after(standin: StandIn, receiver: _Receiver) -> None:
    standin.configure(webhook_urls=[receiver.url])
    _one_call(standin)
    standin.wait_for(lambda: len(receiver.posts) == 3)
    standin.rotate_key()
    with pytest.raises(InvalidSignature):
        _verify(standin, *receiver.posts[0])
    _one_call(standin)
    standin.wait_for(lambda: len(receiver.posts) == 6)
    _verify(standin, *receiver.posts[3])


def test_a_webhook_may_be_signed_with_the_key_before_the_rotation(standin: StandIn, receiver: _Receiver) -> None:
    old = _public_key(standin)
    standin.rotate_key()
    standin.configure(webhook_urls=[receiver.url], webhook_signature="old")
    standin.emit_webhooks("call-update")
    signature, body = standin.wait_for(lambda: receiver.posts)[0]
    old.verify(base64.b64decode(signature or ""), body, padding.PKCS1v15(), hashes.SHA256())
    with pytest.raises(InvalidSignature):
        _verify(standin, signature, body)


@pytest.mark.parametrize("mode", ["bad", "none", "stranger"])
def test_a_signature_may_be_wrong_or_missing(standin: StandIn, receiver: _Receiver, mode: str) -> None:
    standin.configure(webhook_urls=[receiver.url], webhook_signature=mode)
    _one_call(standin)
    signature, body = standin.wait_for(lambda: receiver.posts)[0]
    if mode == "none":
        assert signature is None
    else:
        with pytest.raises(InvalidSignature):
            _verify(standin, signature, body)


def test_any_bytes_are_signed_for_a_test(standin: StandIn) -> None:
    _verify(standin, standin.sign(b"\0 no JSON"), b"\0 no JSON")


def test_the_key_may_be_withheld_and_every_request_for_it_is_counted(standin: StandIn) -> None:
    before = standin.state()["key_requests"]
    standin.configure(public_key_status=503)
    assert standin.get("/v2/public/rsa-public-key", {}).status_code == 503
    standin.reset()
    assert standin.get("/v2/public/rsa-public-key", {}).status_code == 200
    assert standin.state()["key_requests"] == before + 2


def test_an_event_may_come_more_than_once(standin: StandIn, receiver: _Receiver) -> None:
    standin.configure(webhook_urls=[receiver.url], webhook_copies=2)
    _one_call(standin)
    standin.wait_for(lambda: len(receiver.posts) == 6)
    assert receiver.events()[:2] == ["call-started", "call-started"]


def test_a_webhook_is_registered_for_the_events_it_names(standin: StandIn, receiver: _Receiver) -> None:
    headers = {"Authorization": standin.token}
    url = f"{standin.base_url}/v2/sip/webhooks"
    wanted = {"url": receiver.url, "events": ["call-hangup"]}
    assert requests.post(url, json=wanted, timeout=20).status_code == 401
    assert requests.post(url, json={"url": 7}, headers=headers, timeout=20).status_code == 400
    assert requests.post(url, json=wanted, headers=headers, timeout=20).status_code == 200
    _one_call(standin)
    standin.wait_for(lambda: receiver.posts)
    assert receiver.events() == ["call-hangup"]


def test_every_post_is_recorded_also_to_nobody(standin: StandIn) -> None:
    before = len(standin.webhooks())
    standin.configure(webhook_urls=["http://127.0.0.1:9/nobody"])
    _one_call(standin)

    def mine() -> list[WebhookRecord]:
        return [record for record in standin.webhooks(before) if record.url.endswith("/nobody")]

    records = standin.wait_for(lambda: found if len(found := mine()) == 3 else None)
    assert {record.status for record in records} == {0}
    assert json.loads(records[0].body)["webhookType"] == "call-started"


def test_what_is_not_taken_is_posted_again_and_each_attempt_recorded(standin: StandIn, receiver: _Receiver) -> None:
    receiver.answers += [503, 401]
    standin.configure(webhook_urls=[receiver.url], webhook_retries=2, webhook_retry_s=0.01)
    standin.emit_webhooks("call-update", count=2)
    records = standin.wait_for(lambda: found if len(found := receiver.records(standin)) == 4 else None)
    assert [(record.status, record.attempt, record.taken) for record in records] == [
        (503, 1, False),
        (401, 2, False),
        (204, 3, True),
        (204, 1, True),
    ]
    assert receiver.numbers() == [0, 0, 0, 1]
    assert len({record.body for record in records[:3]}) == 1


def test_a_receiver_that_never_takes_it_is_given_up(standin: StandIn, receiver: _Receiver) -> None:
    receiver.answers += [500] * 3
    standin.configure(webhook_urls=[receiver.url], webhook_retries=1, webhook_retry_s=0.01)
    standin.emit_webhooks("call-update", count=2)
    standin.wait_for(lambda: len(receiver.posts) == 4)
    assert receiver.numbers() == [0, 0, 1, 1]


def test_events_that_were_gathered_may_be_posted_in_another_order(standin: StandIn, receiver: _Receiver) -> None:
    standin.configure(webhook_urls=[receiver.url], webhook_hold_s=0.3, webhook_order="reversed")
    standin.emit_webhooks("call-update", count=5)
    standin.wait_for(lambda: len(receiver.posts) == 5)
    assert receiver.numbers() == [4, 3, 2, 1, 0]
    standin.configure(webhook_order="shuffled", webhooks_at_once=4)
    standin.emit_webhooks("call-update", count=9)
    standin.wait_for(lambda: len(receiver.posts) == 14)
    assert sorted(receiver.numbers()[5:]) == list(range(9))


def test_webhooks_go_to_receivers_whose_certificate_is_trusted(standin: StandIn, tmp_path: Path) -> None:
    context, ca_file = certificates.server_context(tmp_path, (), False)
    receiver = _Receiver(context)
    standin.configure(webhook_urls=[receiver.url])
    standin.emit_webhooks("call-update")
    assert standin.wait_for(lambda: receiver.records(standin))[0].status == 0
    standin.configure(webhook_ca_file=str(ca_file))
    standin.emit_webhooks("call-update")
    assert standin.wait_for(lambda: receiver.records(standin)[1:])[0].status == 204
    receiver.stop()


@pytest.mark.parametrize(
    ("switches", "named"), [({"webhook_ca_file": "/nowhere"}, "/nowhere"), ({"webhook_order": "?"}, "webhook_order")]
)
def test_a_switch_that_cannot_work_is_refused(standin: StandIn, switches: dict[str, str], named: str) -> None:
    with pytest.raises(RuntimeError, match=named):
        standin.configure(**switches)


def test_those_registered_are_told_and_can_be_forgotten(standin: StandIn) -> None:
    wanted = {"url": "http://127.0.0.1:9/nobody", "events": ["call-hangup"]}
    headers = {"Authorization": standin.token}
    requests.post(f"{standin.base_url}/v2/sip/webhooks", json=wanted, headers=headers, timeout=20).raise_for_status()
    assert wanted in standin.registered_webhooks()
    standin.forget_webhooks()
    assert standin.registered_webhooks() == []
