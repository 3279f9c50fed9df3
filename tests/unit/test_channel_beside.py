"""A connection without media while another has it: kept alive, subscribed, and left with everything said."""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Iterator

import pytest

from ingestd.core import wire
from ingestd.errors import ChannelClosed
from ingestd.net.channel import GATE_BYTES, Channel
from ingestd.net.stream import Stream, prepare
from tests.unit.peers import GUARD_S, Peer, Task, close, server_frame, tcp_pair

PCM = b"\x01\x02" * 160
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


@pytest.fixture
def call() -> Iterator[tuple[Channel, Peer]]:
    near, far = tcp_pair()
    prepare(near)
    far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    channel, peer = Channel(Stream(near), 7, "call-1", ["A", "B"]), Peer(far)
    yield channel, peer
    peer.close()
    near.close()


def rounds(channel: Channel, number: int) -> None:
    """So many turns of the sender."""
    for _ in range(number):
        channel.send_beside(time.monotonic())


def while_reading(channel: Channel, reading: Task[list[tuple[int, bytes]]]) -> list[tuple[int, bytes]]:
    """Turns of the sender until the peer has read all it wanted; its socket does not wait for ever."""
    while reading._thread.is_alive():
        rounds(channel, 1)
        time.sleep(0.001)
    return reading.result()


def receive_all(channel: Channel) -> None:
    """Until the end, which is raised."""
    while channel.has_buffered() or select.select([channel], [], [], GUARD_S)[0]:
        channel.receive()


def test_pings_pongs_and_subscriptions_go_out_without_media(call: tuple[Channel, Peer]) -> None:
    channel, peer = call
    channel.post(wire.encode_message("A", "hello"))
    peer.send(server_frame(PING, b"there?"))
    assert select.select([channel], [], [], GUARD_S)[0]
    assert channel.receive() == []
    rounds(channel, 3)
    assert [peer.frame() for _ in range(5)] == [
        (TEXT, wire.encode_subscribe("A")),
        (TEXT, wire.encode_subscribe("B")),
        (PONG, b"there?"),
        (PING, b"1"),
        (TEXT, wire.encode_message("A", "hello")),
    ]
    assert (channel.media_sent, channel.posts_sent) == (0, 1)


def test_it_may_take_over_once_it_has_joined_and_the_room_knows_of_all_topics(call: tuple[Channel, Peer]) -> None:
    channel, peer = call
    rounds(channel, 1)
    assert [peer.frame()[0] for _ in range(3)] == [TEXT, TEXT, PING], "the ping comes after all topics"
    peer.send(server_frame(TEXT, b'{"event":"meeting-joined"}'))
    assert select.select([channel], [], [], GUARD_S)[0]
    channel.receive()
    assert not channel.ready
    peer.send(server_frame(PONG, b"1"))
    assert select.select([channel], [], [], GUARD_S)[0]
    channel.receive()
    assert channel.ready


def test_messages_wait_where_the_way_is_clogged(call: tuple[Channel, Peer]) -> None:
    channel, peer = call
    for _ in range(64):
        assert channel.post(wire.encode_message("A", "x" * 4000))
    rounds(channel, 100)
    # What the far kernel took, what is on its way, and the message being written.
    assert channel.posts_sent * 4000 < GATE_BYTES + 40_000
    reading = Task(lambda: [peer.frame() for _ in range(67)])
    assert len(while_reading(channel, reading)) == 67
    assert channel.posts_sent == 64


def test_after_it_took_over_messages_wait_for_media_again(call: tuple[Channel, Peer]) -> None:
    channel, _ = call
    rounds(channel, 1)
    for _ in range(3):
        channel.post(wire.encode_message("A", "hello"))
    for _ in range(5):
        assert channel.send_media(PCM)
        for _ in range(3):
            channel.send_others(time.monotonic())
    assert (channel.media_sent, channel.posts_sent) == (5, 3)
    channel.post(wire.encode_message("A", "hello"))
    channel.send_others(time.monotonic())
    channel.post(wire.encode_message("A", "hello"))
    channel.send_others(time.monotonic())
    assert channel.posts_sent == 4


def test_all_of_the_goodbye_is_said_however_slowly_the_peer_reads(call: tuple[Channel, Peer]) -> None:
    channel, peer = call
    while channel.send_media(PCM):
        pass  # until the way is clogged
    frames = channel.media_sent
    channel.hang_up()
    said = [wire.encode_media(PCM)] * frames
    for number in range(20):
        message = wire.encode_message("A", f"{number:02}" * 1500)
        if channel.send_message(message):
            said.append(message)
    assert 0 < len(said) - frames < 20, "the rest would keep `stop` from coming through in time"
    rounds(channel, 5)
    said.append(wire.STOP)
    reading = Task(lambda: [peer.frame() for _ in range(len(said) + 1)])
    heard = while_reading(channel, reading)
    assert heard == [*((TEXT, payload) for payload in said), (CLOSE, struct.pack(">H", 1000))]
    assert channel.send_media(PCM), "what comes too late is thrown away"
    rounds(channel, 5)
    peer.send(server_frame(PING, b"there?") + close(1000))
    with pytest.raises(ChannelClosed):
        receive_all(channel)
    rounds(channel, 5)
    channel.leave()
    assert peer.frames() == [], "nothing follows the close frame"


def test_hung_up_it_takes_media_until_the_goodbye_begins(call: tuple[Channel, Peer]) -> None:
    channel, peer = call
    channel.hang_up()
    assert channel.send_media(PCM)
    rounds(channel, 2)
    assert channel.send_media(PCM)
    assert channel.media_sent == 1
    assert [peer.frame() for _ in range(3)] == [
        (TEXT, wire.encode_media(PCM)),
        (TEXT, wire.STOP),
        (CLOSE, struct.pack(">H", 1000)),
    ]


def test_media_is_kept_for_the_next_link_where_the_server_leaves(call: tuple[Channel, Peer]) -> None:
    channel, peer = call
    peer.send(close(1001))
    assert select.select([channel], [], [], GUARD_S)[0]
    assert channel.receive() == []
    assert not channel.send_media(PCM)
    rounds(channel, 1)
    assert not channel.send_media(PCM)
    assert peer.frame() == (CLOSE, struct.pack(">H", 1001))
    assert channel.media_sent == 0


def test_a_connection_that_is_gone_is_told(call: tuple[Channel, Peer]) -> None:
    channel, _ = call
    channel.shutdown()
    with pytest.raises(ChannelClosed):
        rounds(channel, 1)
