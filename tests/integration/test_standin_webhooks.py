"""The stand-in's lifecycle webhooks are signed as the vendor signs them."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from tests.standin.client import StandIn
from tests.standin.probe import Probe

pytest_plugins = ("tests.standin.fixtures",)


class _Receiver:
    """Keeps every POST: signature header (or None) and raw body."""

    def __init__(self) -> None:
        posts: list[tuple[str | None, bytes]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                posts.append((self.headers["videosdk-signature"], self.rfile.read(length)))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self.posts = posts
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), name="webhook receiver")
        self.thread.start()

    def events(self) -> list[str]:
        return [json.loads(body)["webhookType"] for _, body in self.posts]


@pytest.fixture
def receiver() -> Iterator[_Receiver]:
    receiver = _Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.thread.join()
    receiver.server.server_close()


def _one_call(standin: StandIn) -> str:
    session = standin.create_session(participant_id="dev")
    with Probe(session.ws_url) as device:
        device.wait("meeting-joined")
        device.send("stop")
        device.wait_closed()
    return session.call_id


def _verify(standin: StandIn, signature: str | None, body: bytes) -> None:
    """Raise InvalidSignature unless the public key verifies the raw body."""
    key = load_pem_public_key(standin.get("/v2/public/rsa-public-key", {}).json()["publicKey"].encode())
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(base64.b64decode(signature or ""), body, padding.PKCS1v15(), hashes.SHA256())


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


@pytest.mark.parametrize("mode", ["bad", "none"])
def test_a_signature_may_be_wrong_or_missing(standin: StandIn, receiver: _Receiver, mode: str) -> None:
    standin.configure(webhook_urls=[receiver.url], webhook_signature=mode)
    _one_call(standin)
    signature, body = standin.wait_for(lambda: receiver.posts)[0]
    if mode == "none":
        assert signature is None
    else:
        with pytest.raises(InvalidSignature):
            _verify(standin, signature, body)


def test_an_event_may_come_more_than_once(standin: StandIn, receiver: _Receiver) -> None:
    standin.configure(webhook_urls=[receiver.url], webhook_copies=2)
    _one_call(standin)
    standin.wait_for(lambda: len(receiver.posts) == 6)
    assert receiver.events()[:2] == ["call-started", "call-started"]


def test_a_webhook_is_registered_for_the_events_it_names(standin: StandIn, receiver: _Receiver) -> None:
    headers = {"Authorization": standin.token}
    url = f"{standin.base_url}/v2/sip/webhooks"
    wanted = {"url": receiver.url, "events": ["call-hangup"]}
    assert requests.post(url, json=wanted, timeout=10).status_code == 401
    assert requests.post(url, json={"url": 7}, headers=headers, timeout=10).status_code == 400
    assert requests.post(url, json=wanted, headers=headers, timeout=10).status_code == 200
    _one_call(standin)
    standin.wait_for(lambda: receiver.posts)
    assert receiver.events() == ["call-hangup"]


def test_every_post_is_recorded_also_to_nobody(standin: StandIn) -> None:
    before = len(standin.webhooks())
    standin.configure(webhook_urls=["http://127.0.0.1:9/nobody"])
    _one_call(standin)
    records = standin.wait_for(lambda: r if len(r := standin.webhooks(before)) >= 3 else None)
    mine = [record for record in records if record.url.endswith("/nobody")]
    assert {record.status for record in mine} == {0}
    assert json.loads(mine[0].body)["webhookType"] == "call-started"
