"""The short way of a media frame: it is taken for one only where the long way would say the same."""

from __future__ import annotations

import contextlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.core import wire
from ingestd.errors import RemoteProtocolError
from ingestd.net.inbound import Inbound
from tests.unit.exactly import exactly

PCM = bytes(range(256)) + bytes(64)


def frame(text: bytes, first: int = 0x81) -> bytes:
    size = len(text)
    head = b"\x7e" + size.to_bytes(2, "big") if size < 65536 else b"\x7f" + size.to_bytes(8, "big")
    if size < 126:
        head = bytes((size,))
    return bytes((first,)) + head + text


def media(pcm: bytes) -> bytes:
    return frame(wire.encode_media(pcm))


def said(inbound: Inbound, data: bytes, short: bool) -> tuple[list[object], Counter[str], str]:
    """Events, faults and how the connection ended."""
    if short and (event := inbound.lone_media(data)) is not None:
        return [event], inbound.faults, str(inbound.broken)
    try:
        return list(inbound.take(data)), inbound.faults, str(inbound.broken)
    except RemoteProtocolError as error:
        return [], inbound.faults, str(error)


@pytest.mark.parametrize("samples", [54, 80, 160, 161, 4000])
def test_a_lone_media_frame_takes_the_short_way(samples: int) -> None:
    inbound = Inbound("secret")
    pcm = (PCM * 30)[: 2 * samples]
    for _ in range(3):
        assert exactly(inbound.lone_media(media(pcm))) == exactly(wire.Media(pcm))
    assert exactly(inbound.lone_media(media(PCM[:200]))) == exactly(wire.Media(PCM[:200])), "sizes may change"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x81",
        media(PCM[:20]),
        media(PCM + b"\x00"),
        media(PCM) * 2,
        media(PCM)[:-1],
        media(PCM) + b"\x89\x00",
        frame(wire.encode_media(PCM), 0x82),
        frame(wire.encode_media(PCM), 0x01),
        frame(wire.encode_media(PCM), 0xC1),
        frame(wire.encode_media(PCM).replace(b"AAAA", b"AA A")),
        frame(wire.encode_media(PCM).replace(b"AAAA", b'"} A')),
        frame(wire.encode_media(PCM).replace(b":", b": ")),
        frame(b'{"event":"message","topic":"T","data":{"message":"' + bytes(200) + b'"}}'),
        media(bytes(60_000)),
    ],
)
def test_whatever_else_comes_is_left_to_the_long_way(data: bytes) -> None:
    inbound = Inbound("secret")
    assert inbound.lone_media(data) is None
    assert inbound.faults == Counter()


@pytest.mark.parametrize(
    ("before", "rest"),
    [
        (media(PCM)[:5], media(PCM)[5:]),
        (frame(b'{"event"', 0x01), frame(b':"x"}', 0x80)),
        (b"\x82\x7f" + (100_000).to_bytes(8, "big"), bytes(100_000)),
    ],
)
def test_what_is_unfinished_goes_on_first(before: bytes, rest: bytes) -> None:
    inbound = Inbound("")
    assert list(inbound.take(before)) == []
    assert inbound.lone_media(media(PCM)) is None
    list(inbound.take(rest))
    assert exactly(inbound.lone_media(media(PCM))) == exactly(wire.Media(PCM))


@pytest.mark.parametrize("before", [b"", media(PCM)])
def test_after_a_breach_nothing_is_read(before: bytes) -> None:
    inbound = Inbound("")
    with contextlib.suppress(RemoteProtocolError):
        list(inbound.take(before + b"\x81\xff"))
    assert inbound.broken is not None
    assert inbound.lone_media(media(PCM)) is None


@given(st.lists(st.tuples(st.integers(0, 461), st.binary(max_size=3), st.integers(0, 3)), max_size=2))
def test_both_ways_say_the_same_of_a_frame_that_was_tampered_with(changes: list[tuple[int, bytes, int]]) -> None:
    data = media(PCM)
    for at, put, cut in changes:
        data = data[:at] + put + data[at + cut :]
    assert exactly(said(Inbound("secret"), data, short=True)) == exactly(said(Inbound("secret"), data, short=False))
