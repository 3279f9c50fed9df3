"""The HTTP of a scrape: one GET of /metrics, everything else refused by its proper status."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.metrics.request import CONTENT_TYPE, MAX_HEAD_BYTES, OK, answer, asked


@pytest.mark.parametrize(
    ("data", "status", "with_body"),
    [
        (b"GET /metrics HTTP/1.1\r\nHost: device\r\n\r\n", "200", True),
        (b"GET /metrics HTTP/1.0\r\n\r\n", "200", True),
        (b"GET /metrics HTTP/1.1\n\n", "200", True),
        (b"GET /metrics?name[]=up HTTP/1.1\r\n\r\n", "200", True),
        (b"HEAD /metrics HTTP/1.1\r\n\r\n", "200", False),
        (b"GET / HTTP/1.1\r\n\r\n", "404", True),
        (b"GET /metrics/ HTTP/1.1\r\n\r\n", "404", True),
        (b"GET /../metrics HTTP/1.1\r\n\r\n", "404", True),
        (b"HEAD /other HTTP/1.1\r\n\r\n", "404", False),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "405", True),
        (b"DELETE /metrics HTTP/1.1\r\n\r\n", "405", True),
        (b"get /metrics HTTP/1.1\r\n\r\n", "400", True),
        (b"GET  /metrics HTTP/1.1\r\n\r\n", "400", True),
        (b"GET /metrics\r\n\r\n", "400", True),
        (b"GET /metrics HTTP/2.0\r\n\r\n", "400", True),
        (b"\r\n\r\n", "400", True),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n", "400", True),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"y" * MAX_HEAD_BYTES + b"\r\n\r\n", "431", True),
        (b"y" * (MAX_HEAD_BYTES + 1), "431", True),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_each_request_has_its_status(data: bytes, status: str, with_body: bool) -> None:
    found = asked(data)
    assert found is not None
    assert (found[0][:3], found[1]) == (status, with_body)


@pytest.mark.parametrize("data", [b"", b"GET", b"GET /metrics HTTP/1.1\r\n", b"GET /metrics HTTP/1.1\r\nHost: x\r\n"])
def test_half_a_head_is_waited_for(data: bytes) -> None:
    assert asked(data) is None


def test_an_answer_is_whole_and_the_last() -> None:
    assert answer(OK, b"figure 1\n", with_body=True) == (
        b"HTTP/1.1 200 OK\r\nContent-Type: " + CONTENT_TYPE.encode() + b"\r\nContent-Length: 9\r\n"
        b"Connection: close\r\n\r\nfigure 1\n"
    )
    assert answer(OK, b"figure 1\n", with_body=False).endswith(b"Content-Length: 9\r\nConnection: close\r\n\r\n")


def test_a_refusal_says_what_there_is() -> None:
    refused = answer("405 Method Not Allowed", None, with_body=True)
    assert b"\r\nAllow: GET, HEAD\r\n" in refused
    assert b"/metrics" in answer("404 Not Found", None, with_body=True)


@given(st.binary(max_size=300))
def test_nothing_that_comes_in_is_said_back(data: bytes) -> None:
    found = asked(data + b"\r\n\r\n")
    assert found is not None
    status, with_body = found
    assert status.split()[0] in ("200", "400", "404", "405")
    assert len(answer(status, None, with_body=with_body)) < 300
