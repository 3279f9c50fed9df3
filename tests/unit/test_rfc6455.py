"""WebSocket framing: every cut of the stream reads alike, every breach of the standard is one kind of error."""

from __future__ import annotations

import itertools
import struct
import sys
import threading
from collections.abc import Iterable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingestd.core.rfc6455 import (
    MAX_SKIPPED_BYTES,
    Frame,
    FrameReader,
    Opcode,
    Oversize,
    decode_close,
    encode_close,
    encode_frame,
    may_be_sent,
)
from ingestd.errors import RemoteProtocolError
from tests.unit.peers import server_frame

MAX = 1000
TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10

Read = list[Frame | Oversize | str]


def read(pieces: Iterable[bytes], max_message_bytes: int = MAX) -> Read:
    """All that a reader makes of `pieces`; the text of the error it ended with is the last item."""
    reader = FrameReader(max_message_bytes)
    out: Read = []
    try:
        for piece in pieces:
            out += reader.feed(piece)
        if reader.broken is not None:
            out += reader.feed(b"")
    except RemoteProtocolError as error:
        out.append(str(error))
    return out


def by_byte(data: bytes) -> Iterable[bytes]:
    return (data[n : n + 1] for n in range(len(data)))


def refused(data: bytes) -> str:
    """The error for `data`, which must be the same however it comes."""
    whole = read([data])
    assert whole == read(by_byte(data))
    assert isinstance(whole[-1], str)
    return whole[-1]


STREAM = b"".join(
    [
        server_frame(TEXT, b"hello"),
        server_frame(TEXT, b""),
        server_frame(TEXT, b"x" * 125),
        server_frame(TEXT, b"y" * 126),
        server_frame(BINARY, b"\x00\xff"),
        server_frame(PING, b"p"),
        server_frame(TEXT, b"frag", fin=False),
        server_frame(PONG, b""),
        server_frame(CONTINUATION, b"men", fin=False),
        server_frame(PING, b"q" * 125),
        server_frame(CONTINUATION, b"ted"),
        server_frame(TEXT, b"z" * (MAX + 1)),
        server_frame(BINARY, b"a" * 600, fin=False),
        server_frame(CONTINUATION, b"b" * 600, fin=False),
        server_frame(PING, b"in the midst"),
        server_frame(CONTINUATION, b"", fin=False),
        server_frame(CONTINUATION, b"c"),
        server_frame(TEXT, b"m" * MAX),
        server_frame(TEXT, b"", fin=False),
        server_frame(CONTINUATION, b""),
        server_frame(CLOSE, struct.pack(">H", 1000) + b"bye"),
    ]
)
MESSAGES: Read = [
    Frame(Opcode.TEXT, b"hello"),
    Frame(Opcode.TEXT, b""),
    Frame(Opcode.TEXT, b"x" * 125),
    Frame(Opcode.TEXT, b"y" * 126),
    Frame(Opcode.BINARY, b"\x00\xff"),
    Frame(Opcode.PING, b"p"),
    Frame(Opcode.PONG, b""),
    Frame(Opcode.PING, b"q" * 125),
    Frame(Opcode.TEXT, b"fragmented"),
    Oversize(MAX + 1),
    Frame(Opcode.PING, b"in the midst"),
    Oversize(1201),
    Frame(Opcode.TEXT, b"m" * MAX),
    Frame(Opcode.TEXT, b""),
    Frame(Opcode.CLOSE, b"\x03\xe8bye"),
]


def test_a_stream_of_everything_reads_as_its_messages() -> None:
    assert read([STREAM]) == MESSAGES


def test_the_same_stream_byte_by_byte_reads_the_same() -> None:
    assert read(by_byte(STREAM)) == MESSAGES


def test_the_same_stream_cut_in_two_anywhere_reads_the_same() -> None:
    for cut in range(len(STREAM)):
        assert read([STREAM[:cut], STREAM[cut:]]) == MESSAGES


def test_a_length_spelled_longer_than_needed_is_read() -> None:
    assert read([b"\x81\x7e\x00\x02hi", b"\x81\x7f" + struct.pack(">Q", 2) + b"hi"]) == 2 * [Frame(Opcode.TEXT, b"hi")]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\x81\x82\x01\x02\x03\x04hi", "masked"),
        (b"\x89\x80\x01\x02\x03\x04", "masked"),
        (server_frame(TEXT, b"hi", first=0x40), "reserved bits"),
        (server_frame(TEXT, b"hi", first=0x20), "reserved bits"),
        (server_frame(PING, b"hi", first=0x10), "reserved bits"),
        (server_frame(0x3, b"hi"), "opcode 0x3"),
        (server_frame(0x7), "opcode 0x7"),
        (server_frame(0xB), "opcode 0xb"),
        (server_frame(0xF), "opcode 0xf"),
        (server_frame(PING, b"p", fin=False), "control frame"),
        (server_frame(CLOSE, b"", fin=False), "control frame"),
        (server_frame(PING, b"p" * 126), "control frame"),
        (server_frame(CONTINUATION, b"of nothing"), "order of message fragments"),
        (server_frame(TEXT, b"a", fin=False) + server_frame(TEXT, b"b"), "order of message fragments"),
        (server_frame(TEXT, b"a", fin=False) + server_frame(BINARY, b"b"), "order of message fragments"),
        (server_frame(TEXT, b"a" * (MAX + 1), fin=False) + server_frame(TEXT, b"b"), "order of message fragments"),
        (server_frame(TEXT, b"a" * (MAX + 1)) + server_frame(CONTINUATION, b"b"), "order of message fragments"),
        (b"\x81\x7f" + struct.pack(">Q", 1 << 40), f"{1 << 40} bytes"),
        (b"\x81\x7f" + b"\xff" * 8, "bytes"),
        (b"\x82\x7f" + struct.pack(">Q", MAX_SKIPPED_BYTES + 1), "bytes"),
    ],
)
def test_a_breach_of_the_standard_ends_the_connection(data: bytes, says: str) -> None:
    assert says in refused(data)
    before = server_frame(TEXT, b"before")
    assert read([before + data])[0] == Frame(Opcode.TEXT, b"before")
    assert says in refused(before + data)


def test_after_a_breach_nothing_is_read_any_more() -> None:
    reader = FrameReader(MAX)
    with pytest.raises(RemoteProtocolError):
        reader.feed(server_frame(0x3))
    with pytest.raises(RemoteProtocolError, match="0x3"):
        reader.feed(server_frame(TEXT, b"later"))


def test_messages_that_came_before_a_breach_are_delivered_first() -> None:
    reader = FrameReader(MAX)
    assert reader.feed(server_frame(TEXT, b"good") + b"\xff\xff") == [Frame(Opcode.TEXT, b"good")]
    assert reader.broken is not None
    with pytest.raises(RemoteProtocolError, match="masked"):
        reader.feed(b"")


def test_a_terabyte_is_refused_by_its_header_alone() -> None:
    reader = FrameReader(MAX)
    with pytest.raises(RemoteProtocolError):
        reader.feed(b"\x81\x7f" + struct.pack(">Q", 1 << 40))


def test_fragments_without_end_are_refused_before_they_fill_the_memory() -> None:
    reader = FrameReader(MAX)
    reader.feed(server_frame(TEXT, b"", fin=False))
    piece = server_frame(CONTINUATION, b"x" * 65536, fin=False)
    for _ in range(MAX_SKIPPED_BYTES // 65536):
        assert reader.feed(piece) == []
        assert held_bytes(reader) < 2 * MAX + 1000
    with pytest.raises(RemoteProtocolError):
        reader.feed(piece)


def held_bytes(reader: FrameReader) -> int:
    """Memory of all that hangs on the reader."""
    return sum(sys.getsizeof(value) for value in vars(reader).values())


def test_what_is_skipped_is_not_kept() -> None:
    reader = FrameReader(MAX)
    size = 8 * 1024 * 1024
    assert reader.feed(b"\x82\x7f" + struct.pack(">Q", size)) == []
    for _ in range(size // 65536):
        assert held_bytes(reader) < 2 * MAX
        got = reader.feed(bytes(65536))
    assert got == [Oversize(size)]
    assert reader.feed(server_frame(TEXT, b"next")) == [Frame(Opcode.TEXT, b"next")]


@given(st.lists(st.binary(max_size=40), max_size=30))
def test_arbitrary_bytes_in_arbitrary_chunks_are_messages_or_a_protocol_error(chunks: list[bytes]) -> None:
    got = read(chunks)
    assert got == read(by_byte(b"".join(chunks)))
    assert all(isinstance(item, (Frame, Oversize)) for item in got[:-1])


frames = st.builds(
    server_frame,
    st.sampled_from([TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG, PING, 0x3]),
    st.binary(max_size=30) | st.binary(min_size=60, max_size=140),
    fin=st.booleans(),
    first=st.sampled_from([0, 0, 0, 0, 0x10]),
)


@given(st.lists(frames, max_size=20), st.lists(st.integers(0, 400), max_size=6))
@example([server_frame(CLOSE, bytes(114)), server_frame(TEXT, b"", fin=False)], [115])
def test_almost_right_streams_read_alike_however_they_are_cut(parts: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(parts)
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    pieces = [stream[start:end] for start, end in itertools.pairwise(places)]
    limit = 125  # a control frame's, which is held whole whatever messages may have
    reader = FrameReader(limit)
    try:
        for piece in pieces:
            reader.feed(piece)
            assert len(reader._buffer) <= limit + 14
    except RemoteProtocolError:
        pass
    assert read(pieces, limit) == read(by_byte(stream), limit) == read([stream], limit)


@given(st.sampled_from(list(Opcode)), st.binary(max_size=300), st.binary(min_size=4, max_size=4))
def test_a_client_frame_is_final_masked_and_unmasks_to_its_payload(opcode: Opcode, payload: bytes, key: bytes) -> None:
    data = encode_frame(opcode, payload, key)
    assert data[0] == 0x80 | opcode
    assert data[1] & 0x80
    head = 2 if len(payload) < 126 else 4
    assert data[head : head + 4] == key
    assert bytes(byte ^ key[n % 4] for n, byte in enumerate(data[head + 4 :])) == payload
    size = data[1] & 0x7F if head == 2 else struct.unpack(">H", data[2:4])[0]
    assert size == len(payload)


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
def test_the_three_forms_of_a_length(size: int) -> None:
    data = encode_frame(Opcode.TEXT, bytes(size), bytes(4))
    unmasked = bytes([data[0], data[1] & 0x7F]) + data[2 : len(data) - size - 4] + data[len(data) - size :]
    assert read([unmasked], 1 << 20) == [Frame(Opcode.TEXT, bytes(size))]


def test_mask_keys_are_drawn_anew() -> None:
    assert len({encode_frame(Opcode.TEXT, b"same") for _ in range(20)}) == 20


def test_no_mask_key_is_used_twice_whichever_threads_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times as many as are drawn at once, of a kernel that never gives one twice."""
    numbers = itertools.count()
    monkeypatch.setattr("ingestd.core.rfc6455._KEYS", [])
    monkeypatch.setattr(
        "ingestd.core.rfc6455.secrets.token_bytes",
        lambda size: b"".join(next(numbers).to_bytes(4, "big") for _ in range(size // 4)),
    )
    keys: list[bytes] = []

    def draw() -> None:
        keys.extend([encode_frame(Opcode.PING, b"")[2:6] for _ in range(320)])

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(keys)) == len(keys) == 1280


@given(st.integers(1000, 4999).filter(may_be_sent), st.text(max_size=200))
def test_a_close_reason_is_cut_at_a_whole_character(code: int, reason: str) -> None:
    data = encode_close(code, reason)
    size = data[1] & 0x7F
    assert size <= 125
    payload = bytes(byte ^ data[2 + n % 4] for n, byte in enumerate(data[6:]))
    assert len(payload) == size
    assert reason.startswith(payload[2:].decode("utf-8"))
    assert decode_close(payload)[0] == code


@given(st.binary(max_size=125))
def test_any_close_payload_is_read_or_breaks_the_protocol(payload: bytes) -> None:
    if not payload:
        assert decode_close(payload) == (1005, "")
    elif len(payload) == 1 or (code := int.from_bytes(payload[:2], "big")) < 1000 or code in (1005, 1006, 1015):
        with pytest.raises(RemoteProtocolError):
            decode_close(payload)
    else:
        read, reason = decode_close(payload)
        assert read == code
        reason.encode("utf-8")


def test_codes_that_stand_for_nothing_are_not_sent() -> None:
    assert [code for code in (999, 1000, 1003, 1004, 1005, 1006, 1008, 1014, 1015, 2999, 3000, 4999, 5000)
            if may_be_sent(code)] == [1000, 1003, 1008, 1014, 3000, 4999]  # fmt: skip
