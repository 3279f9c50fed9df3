"""Where a request ends, whatever pieces it comes in; what can't be one is refused."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.broker.arrivals import LARGEST_HEAD_BYTES, Arrival, Unfit, Whole

LARGEST = 100
GET = b"GET /healthz HTTP/1.1\r\nHost: b\r\n\r\n"
POST = b"POST /v1/sessions HTTP/1.1\r\nHost: b\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"POST /w HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nhel\r\n2;name=value\r\nlo\r\n0\r\nTrailer: x\r\n\r\n"
)
WHOLE = b"POST /w HTTP/1.1\r\nHost: b\r\nContent-Length: 5\r\n\r\nhello"


def of(*pieces: bytes) -> list[Whole]:
    """All requests that come of these pieces."""
    arrival, found = Arrival(LARGEST), []
    for piece in pieces:
        arrival.feed(piece)
        while (whole := arrival.take()) is not None:
            found.append(whole)
    return found


def chunked(*chunks: bytes) -> bytes:
    """A request with that body."""
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return CHUNKED.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + body + b"0\r\n\r\n"


@pytest.mark.parametrize(("sent", "expected"), [(GET, GET), (POST, POST), (CHUNKED, WHOLE), (chunked(b"hello"), WHOLE)])
def test_a_request_is_whole_with_its_last_byte(sent: bytes, expected: bytes) -> None:
    assert of(sent) == [Whole(expected, False)]
    assert of(sent[:-1]) == []
    assert of(*(sent[at : at + 1] for at in range(len(sent)))) == [Whole(expected, False)]


@given(st.lists(st.integers(1, 40), max_size=30))
def test_what_follows_is_the_next(sizes: list[int]) -> None:
    sent, pieces = GET + CHUNKED + POST + GET, []
    for size in sizes:
        pieces.append(sent[:size])
        sent = sent[size:]
    assert [whole.data for whole in of(*pieces, sent)] == [GET, WHOLE, POST, GET]


def test_a_larger_body_is_not_waited_for() -> None:
    head = b"POST /w HTTP/1.1\r\nContent-Length: 101\r\n"
    assert of(head + b"\r\n") == [Whole(head + b"\r\n", True)]
    assert of(head.replace(b"101", b"100") + b"\r\n") == []


def test_of_larger_chunks_the_length_alone_is_handed_on() -> None:
    (whole,) = of(chunked(b"x" * 60, b"y" * 41)[:-20])
    assert whole.is_cut
    assert b"Content-Length: 101\r\n" in whole.data
    assert not of(chunked(b"x" * 60, b"y" * 40))[0].is_cut


def test_who_waits_to_be_told_to_go_on() -> None:
    arrival = Arrival(LARGEST)
    arrival.feed(POST.replace(b"Host: b", b"expect: 100-Continue")[:-5])
    assert arrival.take() is None
    assert arrival.waits
    arrival.feed(b"hello")
    whole = arrival.take()
    assert whole is not None
    assert b"expect" not in whole.data.lower(), "who reads it would tell them once more"
    assert not arrival.waits


def test_what_is_held_is_counted() -> None:
    arrival = Arrival(LARGEST)
    arrival.feed(CHUNKED[:-3])
    arrival.take()
    assert 0 < len(arrival) <= len(CHUNKED)
    arrival.feed(CHUNKED[-3:])
    arrival.take()
    assert len(arrival) == 0


def head(*fields: bytes) -> bytes:
    """A POST with these fields."""
    return b"\r\n".join([b"POST / HTTP/1.1", *fields, b"", b""])


UNFIT = [
    (head(b"Content-Length: 5", b"Content-Length: 5"), 400),
    (head(b"Content-Length: 5", b"Transfer-Encoding: chunked"), 400),
    (head(b"Transfer-Encoding: chunked", b"transfer-encoding: chunked"), 400),
    (head(b"Transfer-Encoding: gzip, chunked"), 501),
    (head(b"Transfer-Encoding: xchunked"), 501),
    (head(b"Content-Length: +5"), 400),
    (head(b"Content-Length: 5, 5"), 400),
    (head(b"Content-Length: 0x5"), 400),
    (head(b"Content-Length: \xb2"), 400),
    (head(b"Content-Length:"), 400),
    (head(b"Content-Length : 5"), 400),
    (head(b" Content-Length: 5"), 400),
    (head(b"A: b", b"\tc"), 400),
    (head(b"A: b\nContent-Length: 5"), 400),
    (head(b"A: b\rContent-Length: 5"), 400),
    (head(b"nothing"), 400),
    (head(b": nothing"), 400),
    (head(b"Transfer-Encoding: chunked").replace(b"1.1", b"1.0"), 400),
    (b"G" * (LARGEST_HEAD_BYTES + 1), 431),
    (head(b"Transfer-Encoding: chunked") + b"-5\r\n", 400),
    (head(b"Transfer-Encoding: chunked") + b"5 5\r\n", 400),
    (head(b"Transfer-Encoding: chunked") + b"0x5\r\n", 400),
    (head(b"Transfer-Encoding: chunked") + b"\r\n\r\n", 400),
    (head(b"Transfer-Encoding: chunked") + b"123456789\r\n", 400),
    (head(b"Transfer-Encoding: chunked") + b"1;" + b"x" * 300, 400),
    (head(b"Transfer-Encoding: chunked") + b"5;\nabcde\r\n0\r\n\r\n\r\n0\r\n\r\n", 400),
    (head(b"Transfer-Encoding: chunked") + b"5;\rabcde\r\n0\r\n\r\n\r\n0\r\n\r\n", 400),
    (head(b"Transfer-Encoding: chunked") + b"5\n\r\nhello\r\n0\r\n\r\n", 400),
    (head(b"Transfer-Encoding: chunked") + b"0\r\nA: b\n\nGET / HTTP/1.1\r\n\r\n", 400),
    (head(b"Transfer-Encoding: chunked") + b"0\r\nA: b\rc\r\n\r\n", 400),
    (head(b"Transfer-Encoding: chunked") + b"0\r\nGET / HTTP/1.1\r\n\r\n", 400),
    (head(b"Transfer-Encoding: chunked") + b"1\r\nxy\r\n0\r\n\r\n", 400),
    (head(b"Transfer-Encoding: chunked") + b"1\r\nx\r\n" * 50, 413),
    (head(b"Transfer-Encoding: chunked") + b"0\r\n" + b"x" * (LARGEST_HEAD_BYTES + 1), 431),
]


@pytest.mark.parametrize(("sent", "status"), UNFIT)
def test_what_is_no_request_or_could_be_read_as_another(sent: bytes, status: int) -> None:
    with pytest.raises(Unfit) as caught:
        of(sent)
    assert caught.value.status == status


@given(st.binary(max_size=300))
def test_no_bytes_break_it(sent: bytes) -> None:
    for start in (b"", head(b"Transfer-Encoding: chunked"), b"GET / HTTP/1.1\r\n"):
        with contextlib.suppress(Unfit):
            of(start + sent)
