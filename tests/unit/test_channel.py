"""One open connection against a server's end written by hand, over real sockets."""

from __future__ import annotations

import json
import select
import socket
import struct
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from ingestd.core import wire
from ingestd.errors import ChannelClosed, RemoteProtocolError
from ingestd.net.channel import GATE_BYTES, MAX_QUEUED, Channel
from ingestd.net.stream import Stream, prepare
from tests.rig.process import wait_until
from tests.unit.exactly import exactly
from tests.unit.peers import GUARD_S, Peer, Task, close, server_frame, tcp_pair, text

PCM = b"\x01\x02" * 160
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Call(NamedTuple):
    channel: Channel
    peer: Peer


@pytest.fixture
def call() -> Iterator[Call]:
    near, far = tcp_pair()
    prepare(near)
    # Small, so that a peer that does not read is noticed after some frames.
    far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made = Call(Channel(Stream(near), 7, "call-1"), Peer(far))
    yield made
    made.peer.close()
    near.close()


def events(channel: Channel) -> list[wire.Event]:
    """What comes in next, once something has."""
    while True:
        if not channel.has_buffered():
            assert select.select([channel], [], [], GUARD_S)[0], "nothing came in"
        if got := channel.receive():
            return got


def after(channel: Channel, data: bytes, peer: Peer, last: str = "last") -> list[wire.Event]:
    """All events of `data` up to a marker sent after it."""
    peer.send(data + text(f'{{"event":"{last}"}}'))
    got: list[wire.Event] = []
    while not got or got[-1] != wire.Unknown(last):
        got += events(channel)
    return got[:-1]


def tick(channel: Channel) -> None:
    """One turn of the sender."""
    channel.send_media(PCM)
    channel.send_others(time.monotonic())


def media(payload: bytes) -> bool:
    return payload == wire.encode_media(PCM)


def test_start_is_the_first_frame_and_media_follows(call: Call) -> None:
    call.channel.start()
    assert call.channel.send_media(PCM)
    assert call.peer.frame() == (TEXT, wire.START)
    assert call.peer.frame() == (TEXT, wire.encode_media(PCM))
    assert (call.channel.media_sent, call.channel.epoch, call.channel.call_id) == (1, 7, "call-1")


def test_what_comes_in_is_handed_on_in_order_and_counted(call: Call) -> None:
    audio = wire.encode_media(PCM)
    got = after(
        call.channel,
        server_frame(TEXT, audio)
        + text('{"event":"meeting-joined","roomId":"r"}')
        + server_frame(TEXT, audio[:40], fin=False)
        + server_frame(PING, b"p")
        + server_frame(0, audio[40:])
        + text('{"event":"message","topic":"T","data":{"message":"m"}}'),
        call.peer,
    )
    assert got == [
        wire.Media(PCM),
        wire.MeetingJoined("r", None),
        wire.Media(PCM),
        wire.Message("T", "m", None, None, None, None),
    ]


@pytest.mark.parametrize("first", [text('{"event":"meeting-joined"}'), server_frame(TEXT, wire.encode_media(PCM))])
def test_the_room_is_joined_when_the_service_shows_it(call: Call, first: bytes) -> None:
    after(call.channel, text('{"event":"participant-left"}'), call.peer)
    assert not call.channel.joined
    after(call.channel, first, call.peer)
    assert call.channel.joined


def test_every_malformed_message_is_a_count_and_the_call_goes_on(call: Call) -> None:
    bad = {
        "oversize": server_frame(TEXT, b"x" * (1 << 20)),
        "binary": server_frame(BINARY, PCM),
        "not_utf8": server_frame(TEXT, b'"\xff"'),
        "not_json": text("{") + text("NaN"),
        "too_deep": text("[" * 30_000 + "]" * 30_000),
        "not_an_event": text("7"),
        "bad_base64": text('{"event":"media","payload":"?"}'),
        "odd_length": text('{"event":"media","payload":"AQ=="}'),
        "bad_media": text('{"event":"media"}'),
        "bad_message": text('{"event":"message"}'),
    }
    assert set(bad) == set(wire.WIRE_FAULTS)
    sending = Task(lambda: call.peer.send(b"".join(bad.values()) + server_frame(TEXT, wire.encode_media(PCM))))
    got = events(call.channel)
    sending.result()
    assert exactly(got) == exactly([wire.Media(PCM)])
    assert call.channel.wire_faults == dict.fromkeys(bad, 1) | {"not_json": 2}
    after(call.channel, text('{"event":"dtmf"}'), call.peer)
    assert call.channel.wire_faults["unknown"] == 2  # and the marker


def test_media_waits_while_the_peer_does_not_read_and_goes_on_after(call: Call) -> None:
    sent, closed_s = 0, time.monotonic()
    while time.monotonic() - closed_s < 0.25:  # closed for good: a kernel acknowledges up to 0.2 s late
        if call.channel.send_media(PCM):
            sent, closed_s = sent + 1, time.monotonic()
            assert sent < 1000, "the gate never closed"
        time.sleep(0.001)
    # Some 4 kB of the far kernel, what is on its way, and the frame being written.
    assert sent * 540 < GATE_BYTES + 40_000
    reading = Task(lambda: [call.peer.frame() for _ in range(sent)])
    wait_until(lambda: call.channel.send_media(PCM), GUARD_S, "the gate to open")
    assert all(media(payload) for _, payload in reading.result())
    assert call.peer.frame()[0] == TEXT
    assert call.channel.media_sent == sent + 1


def test_a_long_way_has_a_wider_gate(call: Call) -> None:
    live = call.channel.liveness
    now = time.monotonic()
    payload = live.ping(now)
    assert payload is not None
    narrow = call.channel._carried_bytes()
    live.pong(payload, now + 0.5)
    # Half a second of media at about 27 bytes a millisecond.
    assert call.channel._carried_bytes() - narrow == pytest.approx(13_500, abs=1000)


def test_a_ping_is_answered_by_the_sender_and_not_by_the_receiver(call: Call) -> None:
    call.channel.liveness.ping(time.monotonic())
    after(call.channel, server_frame(PING, b"are you there"), call.peer)
    assert not select.select([call.peer.sock], [], [], 0.05)[0], "the receiver wrote to the socket"
    call.channel.send_others(time.monotonic())
    assert call.peer.frame() == (PONG, b"are you there")


def test_a_flood_of_pings_is_answered_by_the_newest(call: Call) -> None:
    call.channel.liveness.ping(time.monotonic())
    after(call.channel, b"".join(server_frame(PING, b"%d" % n) for n in range(5000)), call.peer)
    call.channel.send_others(time.monotonic())
    call.channel.hang_up()
    call.channel.leave()
    pongs = [payload for opcode, payload in call.peer.frames() if opcode == PONG]
    assert pongs == [b"%d" % n for n in range(4992, 5000)]


def test_our_own_ping_goes_out_and_its_pong_gives_the_round_trip(call: Call) -> None:
    call.channel.send_others(time.monotonic())
    opcode, payload = call.peer.frame()
    assert opcode == PING
    after(call.channel, server_frame(PONG, payload), call.peer)
    assert call.channel.liveness.rtt_ms is not None
    assert 0 < call.channel.liveness.rtt_ms < GUARD_S * 1000


def test_between_two_media_frames_is_one_message_at_most(call: Call) -> None:
    for n in range(5):
        assert call.channel.post(wire.encode_message("T", n))
    for _ in range(5):
        tick(call.channel)
        # Where media has to wait, the sender comes back without having sent any.
        call.channel.send_others(time.monotonic())
        call.channel.send_others(time.monotonic())
    call.channel.hang_up()
    call.channel.leave()
    kinds = [media(payload) for opcode, payload in call.peer.frames() if opcode == TEXT and payload != wire.STOP]
    assert kinds == [True, False] * 5
    assert call.channel.posts_sent == 5


def test_the_rooms_topics_are_subscribed_to_first_and_one_by_one() -> None:
    near, far = socket.socketpair()
    topics = [f"T{n}" for n in range(100)]
    channel, peer = Channel(Stream(near), 1, None, topics), Peer(far)
    channel.start()
    channel.post(wire.encode_message("T", "hello"))
    reading = Task(peer.frames)
    while not channel.posts_sent:
        tick(channel)
    assert channel.posts_sent == 1, "a subscription is no message"
    channel.hang_up()
    channel.leave()
    texts = [payload for opcode, payload in reading.result() if opcode == TEXT]
    assert [text for text in texts if not media(text)] == [
        wire.START,
        *map(wire.encode_subscribe, topics),
        wire.encode_message("T", "hello"),
        wire.STOP,
    ]
    assert sum(map(media, texts)) >= len(topics)
    far.close()


def test_messages_go_out_in_order_and_the_queue_is_bounded(call: Call) -> None:
    posted = [wire.encode_message("T", n) for n in range(MAX_QUEUED)]
    assert all(call.channel.post(message) for message in posted)
    assert not call.channel.post(b"one too many")
    reading = Task(call.peer.frames)
    while call.channel.posts_sent < MAX_QUEUED:
        tick(call.channel)
    assert call.channel.post(b"room again")
    call.channel.hang_up()
    call.channel.leave()
    said = [json.loads(payload)["data"] for _, payload in reading.result() if b'"T"' in payload]
    assert said == list(range(MAX_QUEUED))


def test_a_word_to_the_room_goes_after_any_frame_where_a_message_may_not(call: Call) -> None:
    assert call.channel.send_message(wire.encode_message("T", "x" * 8192))
    call.channel.post(wire.encode_subscribe("T"))
    assert call.channel.send_media(PCM)
    assert not call.channel.send_message(b"its turn, but too soon")
    call.channel.send_others(time.monotonic())
    assert call.channel.posts_sent == 1


class Unacknowledged(Stream):
    """A way so long that nothing has come back yet."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.written_bytes = 0
        self.asked = 0

    def write(self, data: bytes | memoryview) -> int:
        written = super().write(data)
        self.written_bytes += written
        return written

    def unacknowledged_bytes(self) -> int:
        self.asked += 1
        return self.written_bytes


def test_a_message_on_its_way_takes_none_of_the_room_for_audio() -> None:
    near, far = socket.socketpair()
    stream = Unacknowledged(near)
    frames = []
    for message in (False, True):
        channel = Channel(stream, 1, None)
        stream.written_bytes = 0
        if message:
            assert channel.send_message(wire.encode_message("T", "x" * 8192))
            assert stream.written_bytes > 8192
        while channel.send_media(PCM):
            pass
        frames.append(channel.media_sent)
    assert frames[0] == frames[1] >= GATE_BYTES // 500
    near.close()
    far.close()


@pytest.mark.parametrize("record_bytes", [0, 96])
def test_the_gate_asks_seldom_and_closes_at_the_very_frame_that_it_would_asking_each_time(record_bytes: int) -> None:
    near, far = socket.socketpair()
    for on_the_way in (0, 1, 466, 4000, GATE_BYTES - 1, GATE_BYTES, GATE_BYTES + 1, 9000):
        stream = Unacknowledged(near)
        stream.record_bytes = record_bytes
        stream.written_bytes = on_the_way
        channel = Channel(stream, 1, None)
        while stream.written_bytes <= GATE_BYTES:
            assert channel.send_media(PCM), "what is on the way is within the bound"
            assert far.recv(1000)
            stream.written_bytes += record_bytes
        assert not channel.send_media(PCM)
        assert stream.asked <= 4
        stream.written_bytes, stream.asked = 0, 0  # all is acknowledged at last, and from now on each frame
        for _ in range(100):
            assert channel.send_media(PCM)
            assert far.recv(1000)
            stream.written_bytes = 0
        assert stream.asked <= 13
    near.close()
    far.close()


def test_audio_goes_on_behind_a_message_that_fills_the_way_and_the_next_message_waits(call: Call) -> None:
    """Audio kept back here would come no sooner, but what waits for long is dropped."""
    big = wire.encode_message("T", "x" * 8192)
    assert call.channel.send_media(PCM)

    sent = int(call.channel.send_message(big))
    behind = 0
    while call.channel.send_media(PCM):
        sent += call.channel.send_message(big)
        behind += 1
    # More than the far kernel's buffer, and then the gate's ten frames.
    assert behind >= 10
    assert sent == 1
    reading = Task(call.peer.frames)
    while sent < 2:
        call.channel.send_media(PCM)
        sent += call.channel.send_message(big)
    call.channel.hang_up()
    call.channel.leave()
    kinds = [media(payload) for _, payload in reading.result() if payload.startswith(b'{"event":"me')]
    between = kinds[2 : kinds.index(False, 2)]
    assert len(between) >= 8192 // 500, "in bytes the audio had as much"


def test_nothing_comes_between_the_bytes_of_a_frame_that_did_not_fit() -> None:
    near, far = socket.socketpair()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    channel, peer = Channel(Stream(near), 1, None), Peer(far)
    big = wire.encode_message("T", "x" * 30_000)
    channel.post(big)
    channel.send_others(time.monotonic())
    assert not channel.send_media(PCM), "half a frame is on its way"
    channel.post(wire.encode_message("T", "next"))
    after(channel, server_frame(PING, b"hi"), peer)
    reading = Task(peer.frames)
    sent = 0
    while sent < 3:
        sent += channel.send_media(PCM)
        channel.send_others(time.monotonic())
    channel.hang_up()
    channel.leave()
    payloads = [payload for opcode, payload in reading.result() if opcode == TEXT]
    assert payloads[0] == big
    assert sum(map(media, payloads)) == 3
    far.close()


def test_hanging_up_says_what_waits_and_stop_and_closes_and_nothing_else(call: Call) -> None:
    call.channel.hang_up()
    call.channel.hang_up()
    assert not call.channel.post(b"nobody needs a subscription any more")
    assert call.channel.send_message(b"one")
    assert call.channel.send_message(b"after the other, with no audio between them")
    for _ in range(3):
        call.channel.send_others(time.monotonic())
        assert call.channel.send_media(PCM), "the sender is not to wait"
    assert not call.channel.send_message(b"too late")
    assert call.channel.media_sent == 0
    assert call.peer.frame() == (TEXT, b"one")
    assert call.peer.frame() == (TEXT, b"after the other, with no audio between them")
    assert call.peer.frame() == (TEXT, wire.STOP)
    assert call.peer.frame() == (CLOSE, struct.pack(">H", 1000))
    call.peer.send(close(1000))
    with pytest.raises(ChannelClosed) as raised:
        events(call.channel)
    assert raised.value.code == 1000
    call.channel.send_others(time.monotonic())
    call.channel.leave()
    assert call.peer.frames() == [], "nothing may follow our close frame, not even an answer to its answer"


@pytest.mark.parametrize(
    ("code", "answer"), [(1000, 1000), (1001, 1001), (1008, 1008), (4005, 4005), (1004, 1000), (2000, 1000)]
)
def test_the_servers_close_is_told_and_answered(call: Call, code: int, answer: int) -> None:
    call.peer.send(close(code, "start timeout \x1b"))
    with pytest.raises(ChannelClosed) as raised:
        events(call.channel)
    assert (raised.value.code, raised.value.reason) == (code, "start timeout \x1b")
    assert f"code {code} “start timeout ?”" in str(raised.value)
    call.channel.send_others(time.monotonic())
    assert call.peer.frame() == (CLOSE, struct.pack(">H", answer))


@pytest.mark.parametrize("payload", [b"\x03", *(struct.pack(">H", code) for code in (3, 1005, 1006, 1015))])
def test_a_close_that_breaks_the_protocol_is_no_clean_end(call: Call, payload: bytes) -> None:
    call.peer.send(server_frame(CLOSE, payload))
    with pytest.raises(RemoteProtocolError, match="without a valid code"):
        events(call.channel)
    call.channel.send_others(time.monotonic())
    assert call.peer.frame() == (CLOSE, struct.pack(">H", 1002))
    assert call.channel.wire_faults["framing"] == 1


def test_a_close_without_a_code_is_told_as_such(call: Call) -> None:
    call.peer.send(server_frame(CLOSE))
    with pytest.raises(ChannelClosed, match="code 1005"):
        events(call.channel)
