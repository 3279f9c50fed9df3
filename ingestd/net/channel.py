"""One open connection to the room: frames out, events in, and the pulse that tells whether it lives.

The sender thread is the only writer of the socket and the receiver thread its only reader. What the receiver
has to answer (pongs, the close handshake) it posts for the sender to write, so that neither waits for the other.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable
from typing import Final

from ingestd.core import rfc6455, wire
from ingestd.core.liveness import Liveness
from ingestd.core.rfc6455 import Frame, FrameReader, Opcode, Oversize
from ingestd.core.times import DEFAULT, Times
from ingestd.errors import ChannelClosed, ChannelError, RemoteProtocolError, WireError
from ingestd.net.stream import Stream, printable

GATE_BYTES: Final = 5000
"""About ten media frames: what may be on its way, unacknowledged, before media is held back."""
_MEDIA_BYTES_PER_MS: Final = 27.0
MAX_QUEUED_MESSAGES: Final = 64
_MAX_QUEUED_PONGS: Final = 8


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
        self.messages_sent = 0
        """What `post` took and the socket has."""
        self.wire_faults: Counter[str] = Counter()
        """Inbound messages refused, by `WireError.kind`, and frames of unknown events as `unknown`."""
        self._reader = FrameReader(wire.MAX_INBOUND_BYTES)
        self._urgent: deque[bytes] = deque(maxlen=_MAX_QUEUED_PONGS)
        self._subscriptions = deque(wire.encode_subscribe(topic) for topic in topics)
        self._messages: deque[bytes] = deque()
        self._goodbye: deque[bytes] | None = None  # None: the call goes on; replaced whole, emptied by the writer
        self._hanging_up = False
        self._parting = False  # the writer has begun with the goodbye of `hang_up`
        self._pending: memoryview | None = None
        self._ended_by: ChannelError | None = None
        self._message_may_go = True  # one between two media frames: messages never crowd out the audio
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
        """Queues a message frame (subscribe, unsubscribe, message). Any thread.

        False where the queue is full or the connection is on its way out.
        """
        if len(self._messages) >= MAX_QUEUED_MESSAGES or self._over or self._goodbye is not None:
            return False
        self._messages.append(text)
        return True

    @property
    def ready(self) -> bool:
        """In the room, where it also knows of all subscriptions: nothing is missed from here on. Any thread."""
        return self.joined and not self._subscriptions and self.liveness.rtt_ms is not None

    def hang_up(self) -> None:
        """Asks the sender to say what is queued, then `stop` and close, instead of more audio. Any thread."""
        if self._goodbye is None:
            self._hanging_up = True
            self._goodbye = deque((rfc6455.encode_frame(Opcode.TEXT, wire.STOP), rfc6455.encode_close(1000)))

    def abort(self) -> None:
        """Gives up a connection that counts as dead: stale audio that waits at the other end is thrown away there.

        Any thread, never blocks.
        """
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
        if not self._flush() or self._stream.unacknowledged_bytes() > self._gate_bytes():
            return False
        self._write(rfc6455.encode_frame(Opcode.TEXT, wire.encode_media(pcm)))
        self.media_sent += 1
        self._message_may_go = True
        return True

    def send_others(self, now: float) -> None:
        """Sends what is due beside media: pongs and pings at once, and one message after each media frame.

        Raises ChannelClosed.
        """
        if not self._flush():
            return
        if self._goodbye is not None:
            self._parting = self._hanging_up
            self._say_goodbye()
            return
        while self._urgent and self._flush():
            self._write(self._urgent.popleft())
        ping = self.liveness.ping(now)
        if ping is not None and self._flush():
            self._write(rfc6455.encode_frame(Opcode.PING, ping))
        if self._message_may_go and self._flush():
            if self._subscriptions:
                self._message_may_go = False
                self._write(rfc6455.encode_frame(Opcode.TEXT, self._subscriptions.popleft()))
            elif self._messages:
                self._message_may_go = False
                self._write_message()

    def send_beside(self, now: float) -> None:
        """As `send_others`, where another link has the media: messages wait for no frame, but while the way is clogged.

        Raises ChannelClosed.
        """
        while self._subscriptions and self._goodbye is None:  # before the first ping: its pong then tells of them too
            if not self._flush():
                return
            self._write(rfc6455.encode_frame(Opcode.TEXT, self._subscriptions.popleft()))
        self._message_may_go = self._stream.unacknowledged_bytes() <= self._gate_bytes()
        self.send_others(now)

    def _write_message(self) -> None:
        self._write(rfc6455.encode_frame(Opcode.TEXT, self._messages.popleft()))
        self.messages_sent += 1

    def _say_goodbye(self) -> None:
        goodbye = self._goodbye
        while goodbye and self._flush():
            if self._messages and self._hanging_up:
                self._write_message()  # accepted before the end: their sender was told that they go out
            else:
                self._write(goodbye.popleft())

    def _gate_bytes(self) -> float:
        # A long way holds more frames without any of them being late.
        rtt_ms = self.liveness.min_rtt_ms or 0.0
        return GATE_BYTES + min(rtt_ms, 2000.0) * _MEDIA_BYTES_PER_MS

    def _write(self, data: bytes) -> None:
        if self._over:
            raise ChannelClosed("the connection was ended from this side")
        self._pending = memoryview(data)
        self._flush()

    def _flush(self) -> bool:
        """True once nothing is left of the frame being written: no other may come between its bytes."""
        while self._pending is not None:
            written = self._stream.write(self._pending)
            if written == 0:
                return False
            self._pending = self._pending[written:] if written < len(self._pending) else None
        return True

    # --- receiver thread ----------------------------------------------------------------------------------------

    def has_buffered(self) -> bool:
        """True where `receive` has something although `poll` would wait."""
        return self._ended_by is not None or self._stream.has_buffered()

    def receive(self) -> list[wire.Event]:
        """What has come in, in order; never waits. Raises ChannelClosed or RemoteProtocolError when all is over."""
        if self._ended_by is not None:
            raise self._ended_by
        data = self._stream.read()
        if data is None:
            return []
        now = time.monotonic()
        self.liveness.inbound(now)
        try:
            messages = self._reader.feed(data)
        except RemoteProtocolError as fault:
            self._end_by_fault(fault)
            raise
        events: list[wire.Event] = []
        for message in messages:
            if isinstance(message, Oversize):
                self.wire_faults["oversize"] += 1
            elif message.opcode is Opcode.TEXT:
                self._take_text(message.payload, events)
            elif not self._take_other(message, now):
                break
        if self._reader.broken is not None and self._ended_by is None:
            # Raised by the next call: what came before the fault counts.
            self._end_by_fault(self._reader.broken)
        return events

    def _end_by_fault(self, fault: RemoteProtocolError) -> None:
        self.wire_faults["framing"] += 1
        self._ended_by = fault
        if self._goodbye is None:
            self._goodbye = deque((rfc6455.encode_close(1002),))

    def _take_text(self, text: bytes, events: list[wire.Event]) -> None:
        if self._ref and (secret := self._ref.encode()) in text:
            text = text.replace(secret, b"<ref>")
        try:
            event = wire.decode(text)
        except WireError as error:
            self.wire_faults[error.kind] += 1
            return
        if isinstance(event, wire.Media | wire.MeetingJoined):
            self.joined = True
        elif isinstance(event, wire.Unknown):
            self.wire_faults["unknown"] += 1
        events.append(event)

    def _take_other(self, frame: Frame, now: float) -> bool:
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
            case _:
                self.wire_faults["binary"] += 1
        return True
