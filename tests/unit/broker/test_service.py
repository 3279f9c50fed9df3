"""What the service is asked and how its answers are read: the stand-in over HTTP and TLS, and servers by hand."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from ingestd import __version__
from ingestd.broker.errors import ServiceError
from ingestd.broker.service import Service
from ingestd.broker.settings import VideoSdk
from tests.standin.client import SessionFault, StandIn
from tests.unit.broker.answering import SESSION_URL, Answering, good, http
from tests.unit.peers import header, server_tls, serving
from tests.unit.proxies import Tunnel

pytest_plugins = ("tests.standin.fixtures",)
BODY = {"roomId": "r", "participant": {"name": "Gerät 12"}}


def service_at(url: str, **more: Any) -> Service:
    return Service(VideoSdk(url=url, api_key="key-1", **more))


def failed(service: Service, token: str, body: dict[str, Any] | None = None) -> ServiceError:
    """The error of one request, which never holds the token, and fits on a line."""
    with pytest.raises(ServiceError) as caught:
        service.create_session(token, BODY if body is None else body)
    assert token not in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400
    return caught.value


@pytest.fixture(scope="module")
def secure() -> Iterator[StandIn]:
    with StandIn(tls=True) as process:
        yield process


def test_a_session_is_made_by_one_post(standin: StandIn) -> None:
    before = len(standin.session_requests())
    made = service_at(standin.base_url).create_session(standin.token, {**BODY, "roomId": standin.room})
    (asked,) = standin.session_requests(before)
    assert asked.body == {**BODY, "roomId": standin.room}
    assert made.call_id == asked.call_id
    assert made.ws_url.startswith("ws://127.0.0.1:")
    assert made.expires_in_s == 90.0
    assert (asked.auth_scheme, asked.status) == ("bearer", 200)
    assert asked.headers["user-agent"] == f"ingestd-broker/{__version__}"
    assert asked.headers["accept-encoding"] == "identity"
    assert asked.headers["content-type"] == "application/json"


def test_the_token_goes_out_raw_where_that_is_set(standin: StandIn) -> None:
    standin.configure(auth_scheme="raw")
    service_at(standin.base_url + "/", auth_scheme="raw").create_session(standin.token, BODY)
    assert standin.session_requests()[-1].auth_scheme == "raw"


def test_a_session_does_not_show_its_url(standin: StandIn) -> None:
    made = service_at(standin.base_url).create_session(standin.token, BODY)
    assert made.ws_url not in f"{made} {made!r}"
    assert "ref=" not in repr(made)


def test_over_tls_the_given_ca_is_trusted(secure: StandIn) -> None:
    made = service_at(secure.base_url, ca_file=secure.ca_file).create_session(secure.token, BODY)
    assert made.ws_url.startswith("wss://")


def test_a_ca_that_is_not_the_systems_is_not_trusted_by_itself(secure: StandIn) -> None:
    error = failed(service_at(secure.base_url), secure.token)
    assert error.status == 0
    assert "certificate of 127.0.0.1" in str(error)
    assert "videosdk.ca_file" in str(error)


def test_a_certificate_of_another_host_is_refused(tmp_path: Path) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    answering = Answering(good())
    with serving(answering, server_tls(ca, "api.example")) as server:
        error = failed(service_at(f"https://127.0.0.1:{server.port}", ca_file=tmp_path / "ca.pem"), "a-token")
    assert f"the certificate of 127.0.0.1:{server.port} is refused: " in str(error)
    assert "not valid for '127.0.0.1'" in str(error)
    assert answering.heads == []


def test_a_ca_file_that_is_none_is_told(secure: StandIn, tmp_path: Path) -> None:
    service = service_at(secure.base_url, ca_file=tmp_path / "ca.pem")
    assert str(failed(service, secure.token)).endswith("ca.pem can't be read: No such file or directory")
    (tmp_path / "ca.pem").write_text("no certificate")
    assert "ca.pem holds no certificate" in str(failed(service, secure.token))
    assert secure.ca_file is not None
    (tmp_path / "ca.pem").write_bytes(secure.ca_file.read_bytes())
    assert service.create_session(secure.token, BODY).call_id, "mended without a restart"


@pytest.mark.parametrize("key", ["message", "error", "msg", "statusMessage"])
def test_a_refusal_is_told_in_the_services_words(standin: StandIn, key: str) -> None:
    standin.configure(error_key=key)
    standin.fail_sessions(SessionFault(status=422, message="no  such\nagent"))
    error = failed(service_at(standin.base_url), standin.token)
    assert str(error) == "the service answered 422: no  such agent"
    assert (error.status, error.code, error.late) == (422, None, False)
    assert error.request_id


def test_a_refusal_without_words_is_told_by_its_status(standin: StandIn) -> None:
    standin.fail_sessions(SessionFault(status=500, body="html"))
    error = failed(service_at(standin.base_url), standin.token)
    assert (str(error), error.status, error.request_id) == ("the service answered 500", 500, None)


def test_code_request_id_and_time_to_wait_are_read() -> None:
    body = b'{"message": "wait", "errorCode": 4711}'
    date = "Retry-After: Sat, 01 Jan 2000 00:00:30 GMT", "Date: Sat, 01 Jan 2000 00:00:00 GMT"
    with serving(Answering(http("429 Slow", body, *date, "x-amzn-RequestId: a\x01b"))) as server:
        error = failed(service_at(f"http://127.0.0.1:{server.port}"), "a-token")
    assert (error.status, error.code, error.retry_after_s) == (429, "4711", 30.0)
    assert error.request_id == "a b"


def test_a_refusal_that_quotes_the_token_does_not_hand_it_on() -> None:
    token = "eyJhbGciOi.eyJhcGlrZXki.s3cr3t"
    body = json.dumps({"error": f"bad token {token}", "code": token}).encode()
    with serving(Answering(http("400 No", body, f"x-request-id: {token}"))) as server:
        error = failed(service_at(f"http://127.0.0.1:{server.port}"), token)
    assert str(error) == "the service answered 400: bad token <token>"
    assert token not in f"{error.code} {error.request_id}"


@pytest.mark.parametrize("leaves_out", [("callId",), ("expiresIn",), ("callId", "expiresIn", "message")])
def test_what_may_be_missing_may_be_missing(standin: StandIn, leaves_out: tuple[str, ...]) -> None:
    standin.fail_sessions(SessionFault(leaves_out=leaves_out))
    made = service_at(standin.base_url).create_session(standin.token, BODY)
    assert (made.call_id is None) == ("callId" in leaves_out)
    assert made.expires_in_s == 90.0


def test_an_answer_without_data_around_it_is_read() -> None:
    body = json.dumps({"wsUrl": SESSION_URL, "callId": 7, "expiresIn": True}).encode()
    with serving(Answering(http("201 Created", body))) as server:
        made = service_at(f"http://127.0.0.1:{server.port}").create_session("t", BODY)
    assert made == (SESSION_URL, None, 90.0)


@pytest.mark.parametrize(
    "fault",
    [
        SessionFault(body="garbage"),
        SessionFault(body="empty"),
        SessionFault(body="not_an_object"),
        SessionFault(body="html"),
        SessionFault(leaves_out=("wsUrl",)),
        SessionFault(leaves_out=("data",)),
        SessionFault(replaces={"wsUrl": 7}),
    ],
    ids=lambda fault: fault.label,
)
def test_an_answer_without_a_session_is_told(standin: StandIn, fault: SessionFault) -> None:
    standin.fail_sessions(fault)
    error = failed(service_at(standin.base_url), standin.token)
    assert str(error) == "the service answered 200 without data.wsUrl; check videosdk.url"
    assert error.status == 200


@pytest.mark.parametrize("url", ["", "ws://ingest.example/?ref=vs_secret", "http://x/?ref=vs_secret", "wss://a b/"])
def test_a_ws_url_that_is_not_safe_is_not_used(standin: StandIn, url: str) -> None:
    standin.fail_sessions(SessionFault(replaces={"wsUrl": url}))
    error = failed(service_at(standin.base_url), standin.token)
    assert str(error).startswith("the service answered 200 with a wsUrl that is none")
    assert "vs_secret" not in str(error)


def test_an_answer_without_end_is_not_read(standin: StandIn) -> None:
    standin.fail_sessions(SessionFault(body="huge"))
    error = failed(service_at(standin.base_url), standin.token)
    assert (error.status, str(error)) == (0, "the service answered more than 65536 bytes; check videosdk.url")


def test_a_redirect_is_not_followed(standin: StandIn) -> None:
    with serving(Answering(good())) as elsewhere:
        there = f"http://127.0.0.1:{elsewhere.port}/v2/ingest/sessions"
        standin.fail_sessions(SessionFault(status=307, headers={"Location": there}))
        error = failed(service_at(standin.base_url), standin.token)
        assert elsewhere.connections == 0
    assert error.status == 307
    assert "a redirect, which is never followed" in str(error)


def test_cookies_of_the_service_are_not_kept() -> None:
    answering = Answering(good("Set-Cookie: id=1; Path=/"))
    with serving(answering) as server:
        service = service_at(f"http://127.0.0.1:{server.port}")
        service.create_session("t", BODY)
        service.create_session("t", BODY)
    assert [header(head, "Cookie") for head in answering.heads] == [None, None]


def test_a_netrc_does_not_take_the_tokens_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password hunter2\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    answering = Answering(good())
    with serving(answering) as server:
        service_at(f"http://127.0.0.1:{server.port}").create_session("t", BODY)
    assert header(answering.heads[0], "Authorization") == "Bearer t"


def test_connections_are_kept_and_shared_by_threads() -> None:
    with serving(Answering(good())) as server:
        service = service_at(f"http://127.0.0.1:{server.port}")
        began = threading.Barrier(8)
        made: list[str] = []

        def ask() -> None:
            began.wait()
            made.extend(service.create_session("t", BODY).ws_url for _ in range(5))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert made == [SESSION_URL] * 40
        assert server.connections <= 8


def test_the_environments_proxy_is_taken_and_the_token_stays_inside_tls(
    secure: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    tunnel = Tunnel(secure.port)
    with serving(tunnel) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:hunter2@127.0.0.1:{proxy.port}")
        service = service_at(secure.base_url, ca_file=secure.ca_file)
        assert service.create_session(secure.token, BODY).call_id
    (head,) = tunnel.heads
    assert head.startswith(f"CONNECT 127.0.0.1:{secure.port} ".encode())
    assert secure.token.encode() not in head
    error = failed(service, secure.token)  # the proxy is gone
    assert "by the proxy of HTTPS_PROXY" in str(error)
    assert "hunter2" not in str(error)


def test_no_proxy_gets_what_goes_in_the_clear(standin: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert service_at(standin.base_url).create_session(standin.token, BODY).call_id


def test_a_room_is_made_for_a_name_and_stays_the_same(standin: StandIn) -> None:
    service = service_at(standin.base_url)
    room_id = service.make_room(standin.token, "north-1")
    assert service.make_room(standin.token, "north-1") == room_id == standin.made_rooms()["north-1"]
    assert service.make_room(standin.token, "north-2") != room_id


@pytest.mark.parametrize("body", [b"{}", b'{"roomId": ""}', b'{"roomId": "a\\nb"}', b'{"data": []}', b'{"roomId": 7}'])
def test_a_room_without_an_id_is_told(body: bytes) -> None:
    with serving(Answering(http("200 OK", body))) as server, pytest.raises(ServiceError, match="without a roomId"):
        service_at(f"http://127.0.0.1:{server.port}").make_room("t", "north")


def test_a_rooms_id_may_be_in_data() -> None:
    with serving(Answering(http("200 OK", b'{"data": {"roomId": "a-b"}}'))) as server:
        assert service_at(f"http://127.0.0.1:{server.port}").make_room("t", "north") == "a-b"


def test_the_public_key_is_fetched_without_a_token(standin: StandIn) -> None:
    assert service_at(standin.base_url).public_key().startswith("-----BEGIN PUBLIC KEY-----")
    answering = Answering(http("200 OK", b'{"key": 1}'))
    with serving(answering) as server, pytest.raises(ServiceError, match="without a publicKey"):
        service_at(f"http://127.0.0.1:{server.port}").public_key()
    assert answering.heads[0].startswith(b"GET /v2/public/rsa-public-key ")
    assert header(answering.heads[0], "Authorization") is None


def test_a_webhook_is_registered(standin: StandIn) -> None:
    standin.forget_webhooks()
    service_at(standin.base_url).register_webhook(standin.token, "https://b.example/hook", ["call-started"])
    assert standin.registered_webhooks() == [{"url": "https://b.example/hook", "events": ["call-started"]}]
    standin.forget_webhooks()
    with pytest.raises(ServiceError) as caught:
        service_at(standin.base_url).register_webhook("no-token", "https://b.example/hook", [])
    assert caught.value.status == 401


def test_what_verifies_is_never_turned_off(secure: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(secure.ca_file))
    assert "certificate of" in str(failed(service_at(secure.base_url), secure.token))
