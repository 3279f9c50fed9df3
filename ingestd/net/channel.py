"""One open connection to the room: frames out, events in, and the pulse that tells whether it lives.

The sender thread is the only writer of the socket and the receiver thread its only reader. What the receiver
has to answer (pongs, the close handshake) it posts for the sender to write, so that neither waits for the other.
"""

from __future__ import annotations

import binascii
import contextlib
import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Final

from ingestd.core import rfc6455, wire
from ingestd.core.liveness import Liveness
from ingestd.core.messageshare import MessageShare
from ingestd.core.rfc6455 import Frame, Opcode
from ingestd.core.times import DEFAULT, Times
from ingestd.errors import ChannelClosed, ChannelError, RemoteProtocolError
from ingestd.net.frame_writer import FrameWriter
from ingestd.net.inbound import Inbound
from ingestd.net.stream import Stream, printable

GATE_BYTES: Final = 5000
"""About ten media frames: what may be on its way of them, unacknowledged, before more are held back."""
LAST_WORDS_BYTES: Final = 20_000
"""What may be on its way when another message goes before `stop`, which is to get through in time."""
_MEDIA_BYTES_PER_MS: Final = 27.0
MAX_QUEUED: Final = 512
"""Subscriptions to all topics there may be, and their ends."""
_MAX_QUEUED_PONGS: Final = 8
_ENDED_HERE: Final = "the connection was ended from this side"


class Channel:
    """Owns its stream; made with one user, its maker (`net.ports.Link`). Counters have one writer and any reader."""

    def __init__(
        self,
        stream: Stream,
        epoch: int,
        call_id: str | None,
        topics: Iterable[str] = (),
        answers_pings: bool = False,
        ref: str = "",
        times: Times = DEFAULT,
    ) -> None:
        """`topics` are subscribed to after `start`; `answers_pings`: this service is known to.

        `ref` is the session's claim, which is struck out of whatever the server says.
        """
        self._ref = ref
        self._stream = stream
        self.epoch = epoch
        self.call_id = call_id
        self.liveness = Liveness(time.monotonic(), answers_pings, times)
        self.joined = False
        """The service has shown that it joined the room: by saying so, or by the first room audio."""
        self.media_sent = 0
        self.posts_sent = 0
        """What `post` took and the socket has."""
        self._inbound = Inbound(ref)
        self.wire_faults = self._inbound.faults
        self._urgent: deque[bytes] = deque(maxlen=_MAX_QUEUED_PONGS)
        self.topics = tuple(topics)
        self._subscriptions = deque(wire.encode_subscribe(topic) for topic in self.topics)
        self._posted: deque[bytes] = deque()
        self._goodbye: deque[bytes] | None = None  # None: the call goes on; replaced whole, emptied by the writer
        self._hanging_up = False
        self._parting = False  # the writer has begun with the goodbye of `hang_up`
        self._writer = FrameWriter(stream)
        self._share = MessageShare()
        self._ended_by: ChannelError | None = None
        self._over = False
        self._users = 1
        self._users_lock = threading.Lock()

    # --- any thread ---------------------------------------------------------------------------------------------

    def fileno(self) -> int:
        """For `poll`; -1 once closed."""
        return self._stream.fileno()

    def route_changed(self) -> bool:
        """See `Stream.route_changed`. Supervisor thread."""
        return self._stream.route_changed()

    def post(self, text: bytes) -> bool:
        """Queues a word (subscribe, unsubscribe); False where too many wait or the link goes away. Any thread."""
        if len(self._posted) >= MAX_QUEUED or self._over or self._goodbye is not None:
            return False
        self._posted.append(text)
        return True

    @property
    def ready(self) -> bool:
        """In the room, where it also knows of all subscriptions: nothing is missed from here on. Any thread."""
        return self.joined and not self._subscriptions and self.liveness.rtt_ms is not None

    def hang_up(self) -> None:
        """Asks the sender to say `stop` and close instead of more audio. Any thread."""
        if self._goodbye is None:
            self._hanging_up = True
            self._goodbye = deque((rfc6455.encode_frame(Opcode.TEXT, wire.STOP), rfc6455.encode_close(1000)))

    def abort(self) -> None:
        """Gives up a dead connection, and the stale audio that waits at its other end. Any thread, never blocks."""
        self._goodbye = deque()
        self._stream.abort()
        self.shutdown()

    def shutdown(self) -> None:
        """Ends the connection at once; sender and receiver find out by ChannelClosed. Any thread, never blocks."""
        self._over = True
        self._stream.shutdown()

    def join(self) -> bool:
        """One more user; False where the channel is closed already. Any thread."""
        with self._users_lock:
            if self._users:
                self._users += 1
            return self._users > 0

    def leave(self) -> None:
        """One user less; the last one says what is left of the goodbye and closes the socket. Any thread."""
        with self._users_lock:
            self._users -= 1
            last = self._users == 0
        if last:
            with contextlib.suppress(ChannelClosed):
                self._say_goodbye()
            self.shutdown()
            self._stream.close()

    # --- sender thread ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """The first frame, which claims the session. Raises ChannelClosed."""
        self._write(rfc6455.encode_frame(Opcode.TEXT, wire.START))

    def send_media(self, pcm: bytes) -> bool:
        """Sends one frame of audio, or returns False: what went before is still on its way, this one is to wait.

        Once the goodbye of `hang_up` has begun frames are thrown away. Until then they go out: a frame that was meant
        for this link while the call was handed to another would go out on neither. Raises ChannelClosed.
        """
        if self._goodbye is not None and (self._parting or not self._hanging_up):
            return self._hanging_up  # where the other end is leaving it may wait for the next link
        writer = self._writer
        if (writer.pending is not None and not writer.flush()) or (writer.room_bytes < 0 and not self._has_room()):
            return False
        if self._over:
            raise ChannelClosed(_ENDED_HERE)
        # What `wire.encode_media` and `_write` do, without their calls.
        text = wire.MEDIA_HEAD + binascii.b2a_base64(pcm, newline=False) + wire.MEDIA_TAIL
        frame = rfc6455.encode_frame(Opcode.TEXT, text)
        writer.write(frame)
        if self._share.owed_bytes:
            self._share.media_went(len(frame))
        self.media_sent += 1
        return True

    def send_message(self, text: bytes) -> bool:
        """Sends a message between two frames of audio, where that has room for it, or just before the goodbye.

        False where it is to wait. Raises ChannelClosed, where the peer can't have the whole of it.
        """
        if self._over or (self._goodbye is not None and (self._parting or not self._hanging_up)):
            return False
        if not self._writer.flush():
            return False
        waiting = self._writer.waiting_bytes
        if self._hanging_up:
            may_go = waiting <= LAST_WORDS_BYTES
        else:
            words = self._subscriptions or self._posted
            may_go = not words and self._share.may_go(waiting, self._carried_bytes())
        if may_go:
            self._write_message(text)
        return may_go

    def send_others(self, now: float) -> None:
        """Sends what is due beside media: pongs and pings at once, and one that was posted after each media frame.

        Raises ChannelClosed.
        """
        words = self._urgent or self._subscriptions or self._posted
        if now < self.liveness.next_ping_s and not words and self._goodbye is None and self._writer.pending is None:
            return  # as after nearly every frame
        if not self._writer.flush():
            return
        if self._goodbye is not None:
            self._parting = self._hanging_up
            self._say_goodbye()
            return
        while self._urgent and self._writer.flush():
            self._write(self._urgent.popleft())
        ping = self.liveness.ping(now)
        if ping is not None and self._writer.flush():
            self._write(rfc6455.encode_frame(Opcode.PING, ping))
        if (self._subscriptions or self._posted) and self._writer.flush() and self._share.is_their_turn:
            if not self._subscriptions:
                self.posts_sent += 1
            self._write_message((self._subscriptions or self._posted).popleft())

    def send_beside(self, now: float) -> None:
        """As `send_others`, where another link has the media: messages wait for no frame, but while the way is clogged.

        Raises ChannelClosed.
        """
        while self._subscriptions and self._goodbye is None:  # before the first ping: its pong then tells of them too
            if not self._writer.flush():
                return
            self._write(rfc6455.encode_frame(Opcode.TEXT, self._subscriptions.popleft()))
        if self._writer.waiting_bytes <= GATE_BYTES + self._carried_bytes():
            self._share = MessageShare()
        self.send_others(now)

    def _write_message(self, text: bytes) -> None:
        frame = rfc6455.encode_frame(Opcode.TEXT, text)
        self._write(frame)
        self._share.message_went(len(frame), self._writer.end)

    def _say_goodbye(self) -> None:
        goodbye = self._goodbye
        while goodbye and self._writer.flush():
            self._write(goodbye.popleft())

    def _has_room(self) -> bool:
        # Less what a message adds: audio that waited for it here would come no sooner than behind it.
        waiting = self._writer.waiting_bytes
        on_the_way = waiting - self._share.on_the_way_bytes(waiting, self._writer.end)
        self._writer.room_bytes = min(GATE_BYTES, int(GATE_BYTES + self._carried_bytes()) - on_the_way)
        return self._writer.room_bytes >= 0

    def _carried_bytes(self) -> float:
        # A long way holds more frames without any of them being late.
        return min(self.liveness.min_rtt_ms or 0.0, 2000.0) * _MEDIA_BYTES_PER_MS

    def _write(self, frame: bytes) -> None:
        if self._over:
            raise ChannelClosed(_ENDED_HERE)
        self._writer.write(frame)

    # --- receiver thread ----------------------------------------------------------------------------------------

    def has_buffered(self) -> bool:
        """True where `receive` has something although `poll` would wait."""
        return self._ended_by is not None or self._stream.has_buffered()

    def receive(self) -> list[wire.Event]:
        """What has come in, in order; never waits. Raises ChannelClosed or RemoteProtocolError when all is over."""
        if self._ended_by is not None:
            raise self._ended_by
        if (data := self._stream.read()) is None:
            return []
        now = time.monotonic()
        liveness = self.liveness
        if liveness.heard:
            liveness.last_inbound_s = now  # as `inbound`, with one call less
        else:
            liveness.inbound(now)
        if (media := self._inbound.lone_media(data)) is not None:
            self.joined = True
            return [media]
        events: list[wire.Event] = []
        try:
            for item in self._inbound.take(data):
                if not isinstance(item, Frame):
                    self.joined = self.joined or isinstance(item, wire.Media | wire.MeetingJoined)
                    events.append(item)
                elif not self._take_control(item, now):
                    break
        except RemoteProtocolError as fault:
            self._end_by_fault(fault)
            raise
        if self._inbound.broken is not None and self._ended_by is None:
            # Raised by the next call: what came before the fault counts.
            self._end_by_fault(self._inbound.broken)
        return events

    def _end_by_fault(self, fault: RemoteProtocolError) -> None:
        self.wire_faults["framing"] += 1
        self._ended_by = fault
        if self._goodbye is None:
            self._goodbye = deque((rfc6455.encode_close(1002),))

    def _take_control(self, frame: Frame, now: float) -> bool:
        """False after a close frame: what follows it does not count."""
        match frame.opcode:
            case Opcode.PING:
                # Bounded: a flood of pings keeps the newest, which is all RFC 6455 §5.5.3 asks for.
                self._urgent.append(rfc6455.encode_frame(Opcode.PONG, frame.payload))
            case Opcode.PONG:
                self.liveness.pong(frame.payload, now)
            case Opcode.CLOSE:
                try:
                    code, reason = rfc6455.decode_close(frame.payload)
                except RemoteProtocolError as fault:
                    self._end_by_fault(fault)
                    return False
                # Answered in kind (RFC 6455 §5.5.1), but where this is the answer to our own nothing may follow that.
                if self._goodbye is None:
                    self._goodbye = deque((rfc6455.encode_close(code if rfc6455.may_be_sent(code) else 1000),))
                said = f" “{printable(reason, self._ref)}”" if reason else ""
                self._ended_by = ChannelClosed(f"the server closed the connection with code {code}{said}", code, reason)
                return False
        return True
