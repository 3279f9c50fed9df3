"""How a connection ends: what came before the end counts, nothing after it does, and it is closed just once."""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from functools import partial

import pytest

from ingestd.core import wire
from ingestd.errors import ChannelClosed, ChannelError, RemoteProtocolError
from ingestd.net.channel import Channel
from ingestd.net.stream import Stream
from tests.unit.exactly import exactly
from tests.unit.peers import GUARD_S, Peer, Task, close, server_frame, text

PCM = bytes(320)
JOINED = text('{"event":"meeting-joined"}')
LEFT = text('{"event":"meeting-left"}')
TEXT, CLOSE = 1, 8


class Closings(Stream):
    """A stream that counts how often it is closed."""

    closed = 0

    def close(self) -> None:
        self.closed += 1
        super().close()


def connected(kind: type[Stream] = Stream) -> tuple[Channel, Stream, Peer]:
    near, far = socket.socketpair()
    stream = kind(near)
    return Channel(stream, 1, None), stream, Peer(far)


def wait_readable(channel: Channel) -> None:
    assert select.select([channel], [], [], GUARD_S)[0]


@pytest.mark.parametrize("end", [close(1001), b"\xff\xff", server_frame(0x3)])
def test_events_in_the_packet_of_the_end_are_delivered_first(end: bytes) -> None:
    channel, _, peer = connected()
    peer.send(JOINED + LEFT + end)
    wait_readable(channel)
    assert exactly(channel.receive()) == exactly([wire.MeetingJoined(None, None), wire.MeetingLeft(None)])
    assert channel.has_buffered(), "nothing more will come in to wake the receiver"
    for _ in range(2):
        with pytest.raises(ChannelError):
            channel.receive()


def test_what_follows_a_close_frame_does_not_count() -> None:
    channel, _, peer = connected()
    peer.send(JOINED + close(1001, "first") + LEFT + close(4000, "second") + b"\xff\xff")
    wait_readable(channel)
    assert exactly(channel.receive()) == exactly([wire.MeetingJoined(None, None)])
    with pytest.raises(ChannelClosed, match="first"):
        channel.receive()


@pytest.mark.parametrize("before", [b"", JOINED])
def test_a_breach_of_the_protocol_is_answered_by_1002(before: bytes) -> None:
    channel, _, peer = connected()
    peer.send(before + b"\xf1\x00")
    wait_readable(channel)
    if before:
        assert exactly(channel.receive()) == exactly([wire.MeetingJoined(None, None)])
    with pytest.raises(RemoteProtocolError, match="reserved bits"):
        channel.receive()
    assert channel.wire_faults["framing"] == 1
    with pytest.raises(RemoteProtocolError):
        channel.receive()
    channel.leave()
    assert peer.frames() == [(CLOSE, struct.pack(">H", 1002))]


def test_a_cut_is_told_to_receiver_and_sender() -> None:
    channel, _, peer = connected()
    peer.close()
    wait_readable(channel)
    with pytest.raises(ChannelClosed) as raised:
        channel.receive()
    assert raised.value.code is None
    with pytest.raises(ChannelClosed):
        channel.send_media(PCM)


def test_a_shutdown_from_any_thread_is_told_to_both() -> None:
    channel, _, peer = connected()

    def receive() -> None:
        wait_readable(channel)
        channel.receive()

    receiver = Task(receive)
    Task(channel.shutdown).result()
    with pytest.raises(ChannelClosed):
        receiver.result()
    with pytest.raises(ChannelClosed):
        channel.send_media(PCM)
    channel.leave()
    assert peer.frames() == []


def test_the_last_one_to_leave_says_the_goodbye_that_is_left() -> None:
    channel, _, peer = connected()
    assert channel.join()
    channel.hang_up()
    channel.leave()
    assert channel.fileno() >= 0
    channel.leave()
    assert channel.fileno() == -1
    assert peer.frames() == [(TEXT, wire.STOP), (CLOSE, struct.pack(">H", 1000))]


def test_an_aborted_connection_says_nothing() -> None:
    channel, _, peer = connected()
    channel.hang_up()
    channel.abort()
    with pytest.raises(ChannelClosed):
        channel.start()
    channel.leave()
    assert peer.frames() == []


def test_leaving_never_waits_for_a_peer_that_does_not_read() -> None:
    channel, _, peer = connected()
    channel.post(wire.encode_message("T", "x" * 5_000_000))
    channel.send_others(time.monotonic())
    channel.hang_up()
    Task(channel.leave).result()
    assert channel.fileno() == -1
    peer.close()


def test_nobody_joins_a_closed_channel() -> None:
    channel, _, peer = connected()
    channel.leave()
    assert not channel.join()
    channel.leave()  # one too many is no way back in
    assert not channel.join()
    assert not channel.join()
    peer.close()


def use(channel: Channel, stream: Closings, ready: threading.Barrier) -> None:
    ready.wait(GUARD_S)
    for _ in range(200):
        if not channel.join():
            break
        assert not stream.closed, "closed under a user's feet"
        channel.leave()


def test_threads_that_join_and_leave_close_just_once() -> None:
    for _ in range(50):
        channel, stream, peer = connected(Closings)
        assert isinstance(stream, Closings)
        ready = threading.Barrier(5)

        users = [Task(partial(use, channel, stream, ready)) for _ in range(4)]
        ready.wait(GUARD_S)
        channel.leave()
        for user in users:
            user.result()
        assert stream.closed == 1
        assert channel.fileno() == -1
        peer.close()


def test_what_a_server_says_of_its_own_ref_is_struck_out() -> None:
    near, far = socket.socketpair()
    channel, peer = Channel(Stream(near), 1, None, ref="vs_secret"), Peer(far)
    peer.send(close(1008, "session vs_secret expired"))
    wait_readable(channel)
    assert channel.receive() == []
    with pytest.raises(ChannelClosed, match="session <ref> expired") as ended:
        channel.receive()
    assert "vs_secret" not in str(ended.value)


def test_messages_wait_for_nobody_when_it_is_the_server_that_closes() -> None:
    channel, _, peer = connected()
    assert channel.post(b'{"event":"message"}')
    peer.send(close(1001))
    wait_readable(channel)
    channel.receive()
    channel.leave()
    assert [opcode for opcode, _ in peer.frames()] == [0x8]
