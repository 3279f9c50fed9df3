"""Requests and answers that are framed so as to mean one thing here and another there: each ends where it ends."""

from __future__ import annotations

import json
import re

import pytest

from tests.integration.broker.hostile_case import WEBHOOKS, Site
from tests.rig.raw_http import RawClient, request
from tests.rig.raw_service import SESSION, answer

SMUGGLED = (
    b"POST /v1/sessions HTTP/1.1\r\nHost: broker\r\nX-Client-Name: field-1.example\r\nContent-Length: 2\r\n\r\n{}"
)
_TO = b"POST /v1/webhooks/videosdk HTTP/1.1\r\nHost: broker\r\n"
_WHOLE = b"0\r\n\r\n" + SMUGGLED


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n" % len(_WHOLE),
        b"Transfer-Encoding: chunked\r\nContent-Length: %d\r\n" % len(_WHOLE),
        b"Content-Length: 5\r\nContent-Length: %d\r\n" % len(_WHOLE),
        b"Content-Length: 5, %d\r\n" % len(_WHOLE),
        b"Content-Length: 5\r\ncontent-length : %d\r\n" % len(_WHOLE),
        b"Content-Length: +5\r\n",
        b"Content-Length: -5\r\n",
        b"Content-Length: 0x5\r\n",
        b"Content-Length: 5_0\r\n",
        b"Content-Length: 5\r\n\tX: y\r\n",
        b"Content-Length: 5\r\n , 100\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: identity, chunked\r\nContent-Length: 5\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: \x0bchunked\r\nContent-Length: 5\r\n",
        b"Transfer-Encoding : chunked\r\nContent-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
        b"Transfer_Encoding: chunked\r\nContent-Length: %d\r\nTransfer-Encoding: chunked\r\n" % len(_WHOLE),
        b"X: y\rContent-Length: 5\r\n",
        b"X: y\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"X: a\0b\r\nContent-Length: 5\r\n",
        b": empty\r\nContent-Length: 5\r\n",
        b"no colon\r\nContent-Length: 5\r\n",
    ],
    ids=repr,
)
def test_a_request_within_a_request_is_never_answered(site: Site, head: bytes) -> None:
    before = site.rows()
    with RawClient(site.broker.port) as client:
        client.sock.sendall(_TO + head + b"\r\n" + _WHOLE)
        got = client.rest()
    statuses = [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+)", got)]
    assert len(statuses) == 1, got
    # 501 is what RFC 9112 wants for a coding that is not known.
    assert statuses[0] in (400, 401, 501), got
    assert site.rows() == before


def test_a_request_that_comes_after_another_is_one_of_its_own(site: Site) -> None:
    with RawClient(site.broker.port) as client:
        first = client.ask(request("/v1/sessions", {"Authorization": "nobody"}, b"{}") + SMUGGLED)
        assert (first.status, client.answer().status) == (401, 200)


def test_the_largest_of_everything(site: Site) -> None:
    head = {"Authorization": f"Bearer {site.key}"}
    assert site.session(b'{"roomId":"' + b"a" * 70_000 + b'"}').status == 413
    assert site.ask(request(WEBHOOKS, {"Content-Length": "1073741824"})).status == 413
    assert site.ask(request("/v1/sessions", {**head, "X-Long": "a" * 40_000}, b"{}")).status in (400, 431)
    assert site.ask(request("/v1/sessions", {**head, **{f"X-{n}": "a" for n in range(500)}}, b"{}")).status in (
        400,
        431,
    )
    assert site.ask(request("/" + "a" * 20_000, method="GET")).status in (400, 414, 431)
    assert site.ask(request("/v1/sessions", {"Authorization": "Bearer " + "a" * 8000}, b"{}")).status == 401


CRLF = b"5\r\n Set-Cookie: owned=1"


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Unavailable", "400 Bad Request", "401 No", "200 OK"])
@pytest.mark.parametrize(
    "fields",
    [
        [b"Retry-After: " + CRLF, b"x-request-id: " + CRLF],
        [b"Retry-After: 5\rSet-Cookie: owned=1", b"x-request-id: a\rSet-Cookie: owned=1"],
        [b"Retry-After: -1", b"x-request-id: " + b"a" * 5000],
        [b"Retry-After: 1e99", b"x-request-id: \xff\xfe\x0b"],
        [b"Retry-After: NaN", b"x-request-id: \x1b[2J"],
        [b"Retry-After: 99999999999999999999", b"x-request-id: \xe2\x80\xa8"],
        [b"Retry-After: Mon, 99 Foo 2026 00:00:00 GMT"],
        [b"Retry-After: Fri, 31 Dec 9999 23:59:59 GMT", b"x-request-id:"],
    ],
    ids=repr,
)
def test_the_services_headers_end_with_it(site: Site, status: str, fields: list[bytes]) -> None:
    said = json.dumps({"message": "no\r\nSet-Cookie: owned\x1b[2J\u2028\ud800", "code": "\0\r\n"}).encode()
    site.service.said = answer(SESSION if status.startswith("200") else said, status, *fields)
    with RawClient(site.broker.port) as client:
        got = client.ask(request("/v1/sessions", {"Authorization": f"Bearer {site.key}"}, b"{}"))
    assert got.status in (200, 400, 429, 503), got
    assert re.fullmatch(rb"[\t\n\r -~]+", got.head), got.head
    assert b"Set-Cookie" not in re.sub(rb"\r\nX-Request-Id:[^\r\n]*", b"", got.head)
    assert "owned" not in (got.header("Retry-After") or "")
    if (wait := got.header("Retry-After")) is not None:
        assert 1 <= int(wait) <= 86_400
    json.loads(got.body)


@pytest.mark.parametrize(
    "said",
    [
        answer(b"[" * 60_000),
        answer(b'{"data":{"wsUrl":"wss://x/\\r\\nSet-Cookie: owned","callId":"a\\u0000b","expiresIn":1e999}}'),
        answer(b'{"data":{"wsUrl":"wss://ingest.example/?ref=1","callId":"\\ud800\\u0000' + b"x" * 500 + b'"}}'),
        answer(b'{"data":{"wsUrl":"wss://ingest.example/?ref=1","callId":"\'; DROP TABLE sessions; --"}}'),
        answer(b'{"data":{"wsUrl":"http://169.254.169.254/","callId":7,"expiresIn":"x"}}'),
        answer(b"x" * 70_000),
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 999 \x1b[2J\r\nContent-Length: 0\r\n\r\n",
        b"\x1b[2J not HTTP\r\n\r\n",
        b"",
    ],
    ids=lambda said: f"{said[-40:]!r}",
)
def test_whatever_the_service_answers_the_device_is_told_in_json(site: Site, said: bytes) -> None:
    before = site.rows()
    site.service.said = said
    with RawClient(site.broker.port) as client:
        got = client.ask(request("/v1/sessions", {"Authorization": f"Bearer {site.key}"}, b"{}"))
    assert got.status in (200, 502, 504), got
    told = json.loads(got.body)
    assert set(told) == ({"message", "data"} if got.status == 200 else {"message", "code"})
    assert site.rows() == {**before, "sessions": before["sessions"] + 1}
