"""The request for a session and its answer: the page's fields, a lenient reading, and no secret in any error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.core.ingest_session import (
    DEFAULT_EXPIRES_IN_S,
    MAX_ANSWER_BYTES,
    IngestSession,
    check_ws_url,
    is_loopback,
    read_answer,
    request_body,
)
from ingestd.errors import BackendError, BackendFault

URL = "wss://ingest.videosdk.live/videosdk?ref=vs_k9d8j2m4x7p1w5v3r6u0"


def answer(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> IngestSession:
    return read_answer(status, headers or {}, json.dumps(value).encode())


def refusal(
    status: int, value: Any = None, headers: dict[str, str] | None = None, body: bytes | None = None
) -> BackendError:
    """The error that an answer is."""
    with pytest.raises(BackendError) as raised:
        read_answer(status, headers or {}, json.dumps(value).encode() if body is None else body)
    return raised.value


def test_the_request_has_every_field_of_the_page() -> None:
    assert request_body(
        room_id="abcd-efgh-ijkl",
        participant={"id": "p", "name": "Field Device 12", "metadata": {"deviceId": "dev_12"}},
        agent={"id": "a", "metadata": {"k": 1}, "type": "x"},
        region="us002",
    ) == {
        "roomId": "abcd-efgh-ijkl",
        "participant": {"id": "p", "name": "Field Device 12", "metadata": {"deviceId": "dev_12"}},
        "agent": {"id": "a", "metadata": {"k": 1}, "type": "x"},
        "region": "us002",
    }


def test_what_is_not_given_is_not_sent() -> None:
    assert request_body(room_id=None, participant={}, agent=None, region=None) == {}
    assert request_body(
        room_id="r", participant={"id": None, "name": "n", "metadata": None}, agent={"id": "a", "x": None}, region=None
    ) == {"roomId": "r", "participant": {"name": "n"}, "agent": {"id": "a"}}


def test_the_answer_of_the_page_is_read() -> None:
    data = {"wsUrl": URL, "callId": "550e8400", "expiresIn": 90}
    for status in (200, 201):
        session = answer({"message": "Ingest session created", "data": data}, status)
        assert (session.ws_url, session.call_id, session.expires_in_s) == (URL, "550e8400", 90.0)


@pytest.mark.parametrize(
    "value",
    [{"data": {"wsUrl": URL}}, {"wsUrl": URL}, {"wsUrl": URL, "data": None}, {"data": {"wsUrl": URL, "callId": 7}}],
)
def test_only_the_url_is_needed(value: Any) -> None:
    assert answer(value) == IngestSession(URL, None, DEFAULT_EXPIRES_IN_S)


@pytest.mark.parametrize("given_s", [0, -5, "90", True, None, [], float("nan"), float("inf"), 1e300])
def test_a_life_that_cannot_be_is_the_pages(given_s: Any) -> None:
    assert answer({"data": {"wsUrl": URL, "expiresIn": given_s}}).expires_in_s == DEFAULT_EXPIRES_IN_S


@pytest.mark.parametrize("given_s", [1, 30, 45.5, 3600])
def test_a_life_that_can_be_is_taken(given_s: float) -> None:
    assert answer({"data": {"wsUrl": URL, "expiresIn": given_s}}).expires_in_s == given_s


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"null", b"7", b"{}", b'{"data":{}}', b'{"data":{"wsUrl":null}}', b'{"data":{"wsUrl":7}}',
     b"\xff", b"[" * 60_000, b'{"data":{"wsUrl":"' + URL.encode() + b'"', b"\xef\xbb\xbf{}", b'{"n":' + b"9" * 5000],
    ids=lambda body: repr(body)[:24],
)  # fmt: skip
def test_an_answer_without_a_url_is_a_bad_one(body: bytes) -> None:
    error = refusal(200, body=body)
    assert error.fault is BackendFault.BAD_ANSWER
    assert "wsUrl" in str(error)
    assert "backend.url" in str(error)


def test_an_answer_without_end_is_refused() -> None:
    error = refusal(200, body=b" " * (MAX_ANSWER_BYTES + 1))
    assert error.fault is BackendFault.BAD_ANSWER
    assert str(MAX_ANSWER_BYTES) in str(error)


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (400, BackendFault.REFUSED),
        (401, BackendFault.UNAUTHORIZED),
        (402, BackendFault.NOT_FOUND),
        (403, BackendFault.FORBIDDEN),
        (404, BackendFault.NOT_FOUND),
        (405, BackendFault.REFUSED),
        (408, BackendFault.TRANSIENT),
        (409, BackendFault.TRANSIENT),
        (422, BackendFault.REFUSED),
        (429, BackendFault.RATE_LIMITED),
        (500, BackendFault.TRANSIENT),
        (502, BackendFault.TRANSIENT),
        (503, BackendFault.TRANSIENT),
        (302, BackendFault.REFUSED),
        (100, BackendFault.REFUSED),
        (103, BackendFault.TRANSIENT),
    ],
)
def test_every_status_is_a_fault_that_names_it(status: int, fault: BackendFault) -> None:
    error = refusal(status, {"data": {"wsUrl": URL}})
    assert error.fault is fault
    assert f"answered {status}" in str(error)
    assert "vs_k9" not in str(error)


@pytest.mark.parametrize("key", ["message", "error", "msg", "statusMessage"])
@pytest.mark.parametrize("code", ["code", "errorCode"])
@pytest.mark.parametrize("header", ["x-request-id", "Request-Id", "X-Amzn-RequestId"])
def test_a_refusal_names_message_code_and_request_id(key: str, code: str, header: str) -> None:
    error = refusal(401, {key: "Token is invalid or expired", code: 4012}, {header: "req-77"})
    assert "“Token is invalid or expired”" in str(error)
    assert "code 4012" in str(error)
    assert "request id req-77" in str(error)


def test_a_refusal_with_a_body_of_anything_is_still_told() -> None:
    bodies = (b"", b"<html>no</html>", b"\xff\xfe", b"[1]", b"[" * 60_000, b'{"message":{"a":1},"code":[1]}')
    for body in bodies:
        assert str(refusal(503, body=body)) == "the backend answered 503"


def test_a_refusals_texts_are_cut_and_printable() -> None:
    said = refusal(
        400, {"message": "a\x1b[31m\n\u202eb\ud800" + "x" * 5000, "code": "c" * 5000}, {"x-request-id": "\x07"}
    )
    assert len(str(said)) < 800
    assert str(said).isprintable()


@pytest.mark.parametrize(
    ("value", "wait_s"),
    [("7", 7.0), (" 30 ", 30.0), ("0", 0.0), ("9" * 400, 3600.0), ("-1", None), ("1.5", None),
     ("", None), ("soon", None), ("Fri, 31 Dec 1999 23:59:59 GMT", None), ("1e3", None)],
)  # fmt: skip
def test_what_the_backend_asks_to_wait_is_handed_on(value: str, wait_s: float | None) -> None:
    assert refusal(429, headers={"Retry-After": value}).retry_after_s == wait_s
    assert refusal(503, headers={"retry-after": value}).retry_after_s == wait_s


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "wss://h",
        "WSS://Host.Example/x",
        "wss://h:443/a?b=c#d",
        "wss://user:pass@h/x",
        "wss://10.0.0.1:9/x",
        "wss://[2001:db8::1]:9/x",
        "ws://127.0.0.1:8080/x",
        "ws://127.8.9.1/x",
        "ws://localhost/x",
        "ws://LOCALHOST:1/x",
        "ws://[::1]:80/x",
    ],
)
def test_a_url_over_tls_or_to_this_machine_is_used(url: str) -> None:
    check_ws_url(url)
    assert answer({"wsUrl": url}).ws_url == url


SECRET = "?ref=vs_secret"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hello" + SECRET,
        "//host/x" + SECRET,
        "wss:///x" + SECRET,
        "wss://" + SECRET,
        "wss://:443/x" + SECRET,
        "wss://h:port/" + SECRET,
        "wss://h:99999/" + SECRET,
        "wss://h:-1/" + SECRET,
        "wss://[::1/" + SECRET,
        "wss://[nonsense]/" + SECRET,
        "wss://h/a b" + SECRET,
        " wss://h/" + SECRET,
        "wss://h/\r\nX: y" + SECRET,
        "wss://h/\t" + SECRET,
        "wss://h/\x00" + SECRET,
        "wss://h/\x7f" + SECRET,
        "wss://hö/" + SECRET,
        "wss://h/\ud800" + SECRET,
        "http://127.0.0.1/" + SECRET,
        "https://h/" + SECRET,
        "file:///etc/passwd" + SECRET,
        "ws://h/" + SECRET,
        "ws://10.0.0.1/" + SECRET,
        "ws://localhost.example/" + SECRET,
        "ws://127.0.0.1.example/" + SECRET,
        "ws://localhost@h/" + SECRET,
        "ws://0.0.0.0/" + SECRET,
        "ws://[::]/" + SECRET,
        "ws://[2001:db8::1]/" + SECRET,
        "ws://127.1/" + SECRET,
        "ws://2130706433/" + SECRET,
    ],
)
def test_any_other_url_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(BackendError) as raised:
        check_ws_url(url)
    assert raised.value.fault is BackendFault.BAD_ANSWER
    assert "secret" not in str(raised.value)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("url", ["", "http://x/", "ws://x/"])
def test_a_url_that_somebody_brought_is_not_blamed_on_the_backend(url: str) -> None:
    with pytest.raises(BackendError) as raised:
        check_ws_url(url)
    assert str(raised.value).startswith("the session's wsUrl is")
    assert "the backend's" not in str(raised.value)


@given(st.text() | st.text(alphabet="ws:/[]@.?#1a% \\").map(lambda rest: "ws://" + rest))
def test_any_text_for_a_url_is_used_or_refused(url: str) -> None:
    try:
        check_ws_url(url)
    except BackendError:
        return
    assert url.isascii()
    assert url.lower().startswith(("ws://", "wss://"))


def test_only_this_machine_is_loopback() -> None:
    here = ["localhost", "127.0.0.1", "127.255.0.9", "::1"]
    assert [
        host for host in [*here, "10.0.0.1", "::", "0.0.0.0", "localhost.", "", "fe80::1"] if is_loopback(host)
    ] == here


def test_a_session_does_not_show_its_url() -> None:
    session = IngestSession(URL, "c1", 90.0)
    for shown in (repr(session), str(session), f"{session}", f"{session!r}"):
        assert "vs_k9" not in shown
        assert "c1" in shown
