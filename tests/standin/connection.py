"""One WebSocket connection: from the upgrade to the close, with the session it claims.

    CONNECTED ──start──▶ STARTED ──join──▶ JOINED ──stop──▶ STOPPED
        └── start timeout, bad ref ──┐         │               │
                                     ▼         ▼               ▼
                                        CLOSING ──▶ CLOSED     (a cut leads to CLOSED from anywhere)

Everything runs in the event loop's callbacks, so that a message is stamped the moment its bytes arrive.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from enum import Enum
from typing import Any

from tests.standin import frames, inject, lifecycle, topics
from tests.standin.calls import Call
from tests.standin.faults import SocketFault, When
from tests.standin.inbound import MalformedError, media_pcm, parse
from tests.standin.jitter import FRAME_BYTES
from tests.standin.messaging import Messaging
from tests.standin.outbox import Outbox
from tests.standin.records import KEPT_TOPIC_TEXTS, ConnectionInfo
from tests.standin.remote import RemoteParticipant
from tests.standin.room import Room
from tests.standin.settings import Settings
from tests.standin.world import World


class State(Enum):
    """How far a connection has come."""

    CONNECTED = "connected"
    STARTED = "started"
    JOINED = "joined"
    STOPPED = "stopped"
    CLOSING = "closing"
    CLOSED = "closed"


class Connection(asyncio.Protocol):
    """The server's end of one connection."""

    def __init__(self, world: World, ref: str | None, info: ConnectionInfo, script: tuple[SocketFault, ...]) -> None:
        self.world = world
        self.info = info
        self.state = State.CONNECTED
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done once the TCP connection is gone."""
        self._ref = ref
        self._script = script
        self._reader = frames.FrameReader(world.settings.max_message_bytes)
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._awaiting_pong = False
        self._between_media: int | None = None  # topic frames since the last media frame; None before the first
        self.call: Call | None = None
        self.participant: RemoteParticipant | None = None
        self.transport: asyncio.Transport
        self.outbox: Outbox
        self._messaging: Messaging

    @property
    def settings(self) -> Settings:
        """The switches as they are now."""
        return self.world.settings

    @property
    def room(self) -> Room | None:
        """The room of the claimed session."""
        return self.world.room(self.call.info.room_id) if self.call else None

    # --- the transport's callbacks

    def opened(self, transport: asyncio.Transport) -> None:
        """The upgrade is answered; frames follow."""
        self.transport = transport
        self.outbox = Outbox(transport, self.settings.send_limit_bytes)
        self.world.open[self.info.index] = self
        self.later("start", self.settings.start_timeout_s, lambda: self.close(1008, "start timeout"))
        self._schedule_ping()
        if self.info.ref_state != "good" and self.settings.bad_ref == "close_at_open":
            self._refuse_ref()
        self._run_script("open")

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        now_s = time.monotonic()
        try:
            for opcode, payload in self._reader.feed(data):
                if self.state is State.CLOSED:
                    return
                self._take(opcode, payload, now_s)
        except frames.BrokenRulesError as exc:
            self.info.counts["protocol_error"] += 1
            self.close(exc.code, str(exc))

    def connection_lost(self, exc: Exception | None) -> None:
        """The TCP connection is gone."""
        if not self.info.closed_by:
            self.info.closed_by = "client"
            self.info.how = "eof" if exc is None else "reset"
        self._leave("connection lost")
        self.state = State.CLOSED
        for timer in self._timers.values():
            timer.cancel()
        self.info.closed_s = self.info.closed_s or time.monotonic()
        self._note_figures()
        self.world.open.pop(self.info.index, None)
        if not self.done.done():
            self.done.set_result(None)
        lifecycle.closed(self)

    # --- what a participant in the room needs (remote.Link)

    def send_media(self, pcm: bytes, message: bytes) -> None:
        """Send room audio: the PCM and its media frame as JSON."""
        self.outbox.media(pcm, message)

    def send_frame(self, frame: dict[str, Any]) -> None:
        """Send any other frame."""
        self.outbox.text(json.dumps(frame, separators=(",", ":")).encode())

    def end_meeting(self, message: str, evicted: bool) -> None:
        """Tell the client that its meeting is over and close, as the switches say."""
        self._leave(message)
        if self.settings.send_meeting_left:
            self.send_frame(lifecycle.meeting_left(message, self.settings))
        if self.settings.close_after_meeting_left:
            self.close(self.settings.eviction_code if evicted else 1000, "")

    # --- ending

    def close(self, code: int | None, reason: str) -> None:
        """Begin the closing handshake from this side."""
        if self.state in (State.CLOSING, State.CLOSED):
            return
        self._ended("server", "close frame", code, reason)
        self._leave(reason or "closed by the server")
        self.state = State.CLOSING
        self.outbox.close(code, reason)
        self.later("close", self.settings.close_wait_s, self.transport.abort)

    def cut(self, how: str) -> None:
        """End the connection without a close frame."""
        self._ended("server", how, None, "")
        self._leave(how)
        self.state = State.CLOSING
        self.transport.abort()

    def hang_up(self) -> None:
        """Close the TCP connection in good order, but without a close frame."""
        self._ended("server", "eof", None, "")
        self._leave("hung up")
        self.state = State.CLOSING
        self.transport.close()

    def later(self, name: str, after_s: float, action: Callable[[], None]) -> None:
        """Run `action` in `after_s` seconds unless the connection ends first; one timer to a name."""
        if name in self._timers:
            self._timers[name].cancel()
        self._timers[name] = asyncio.get_running_loop().call_later(after_s, action)

    # --- inbound

    def _take(self, opcode: int, payload: bytes, now_s: float) -> None:
        if opcode == frames.CLOSE:
            self._take_close(payload)
        elif self.state is State.CLOSING:
            return
        elif opcode == frames.PING:
            self.info.pings_received += 1
            if self.settings.answer_pings:
                self.outbox.control(frames.PONG, payload)
        elif opcode == frames.PONG:
            self.info.pongs_received += 1
            self._awaiting_pong = False
        elif opcode == frames.BINARY:
            self.info.counts["binary_message"] += 1
        else:
            try:
                self._take_text(payload.decode(), now_s)
            except UnicodeDecodeError:
                raise frames.BrokenRulesError(1007, "text is not UTF-8") from None
            except MalformedError as exc:
                self.info.counts[exc.kind] += 1
            except topics.TopicRefusedError as exc:
                self.info.counts[exc.kind] += 1
                self._refuse_topic(exc.kind)

    def _take_close(self, payload: bytes) -> None:
        code, reason = frames.parse_close(payload)
        if self.state is not State.CLOSING:
            self._ended("client", "close frame", code, reason)
            self._leave("closed by the client")
            self.outbox.close(code, "")
        self.state = State.CLOSING
        self.transport.close()

    def _take_text(self, text: str, now_s: float) -> None:
        frame = parse(text)
        event = frame["event"]
        if event == "media":
            self.info.most_between_media = max(self.info.most_between_media, self._between_media or 0)
            self._between_media = 0
            self._take_media(frame, now_s)
        elif event == "start":
            self._take_start(now_s)
        elif event == "stop":
            self._take_stop(now_s)
        elif event in ("subscribe", "unsubscribe", "message"):
            self._note_topic_frame(text)
            if self.state not in (State.STARTED, State.JOINED):
                raise topics.TopicRefusedError("topic_before_start")
            self._messaging.take(event, frame)
        else:
            raise MalformedError("unknown_event")

    def _note_topic_frame(self, text: str) -> None:
        if self._between_media is not None:
            self._between_media += 1
        self.info.topic_texts = [*self.info.topic_texts[1 - KEPT_TOPIC_TEXTS :], text[:400]]

    def _refuse_topic(self, kind: str) -> None:
        if self.settings.failed_topic == "error":
            self.send_frame({"event": "error", "message": kind})
        elif self.settings.failed_topic == "close":
            self.close(1008, kind)

    def _take_start(self, now_s: float) -> None:
        if self.state is not State.CONNECTED:
            raise MalformedError("start_again")
        self._timers["start"].cancel()
        call, ref_state = self.world.calls.look_up(self._ref)
        if call is None or ref_state != "good":
            self.info.ref_state = ref_state
            self._refuse_ref()
            return
        self.state = State.STARTED
        self.info.started_s = call.info.claimed_s = now_s
        self.info.call_id = call.info.call_id
        self.call = call
        call.open = True
        self.outbox.log = call.sent
        self.participant = RemoteParticipant(call, self)
        self._messaging = Messaging(self, call)
        lifecycle.started(self)
        self._run_script("start")
        if self.settings.join_delay_s > 0:
            self.later("join", self.settings.join_delay_s, self._join)
        else:
            self._join()

    def _refuse_ref(self) -> None:
        self.info.counts["bad_ref"] += 1
        self.close(self.settings.bad_ref_code, self.settings.bad_ref_reason)

    def _join(self) -> None:
        if self.state is not State.STARTED or self.participant is None or self.room is None:
            return
        self.state = State.JOINED
        self.info.joined_s = time.monotonic()
        if self.settings.send_meeting_joined:
            self.send_frame(lifecycle.meeting_joined(self.room, self.settings))
        self.room.join(self.participant, self.settings)
        self._messaging.joined(self.room, self.participant)
        lifecycle.joined(self)
        if self.settings.max_session_s:
            self.later("session", self.settings.max_session_s, self._time_is_up)
        self._run_script("join")

    def _time_is_up(self) -> None:
        self.end_meeting("SESSION_TIME_LIMIT", evicted=False)

    def _take_media(self, frame: dict[str, Any], now_s: float) -> None:
        if self.state is State.CONNECTED:
            if self.settings.media_before_start == "close":
                self.close(1008, "media before start")
            raise MalformedError("media_before_start")
        if self.participant is None or self.call is None or self.state is State.STOPPED:
            raise MalformedError("media_after_stop")
        pcm = media_pcm(frame)
        self.call.received.add(now_s, pcm)
        if self.world.on_media is not None:
            self.world.on_media(self.call, pcm)
        if len(pcm) != FRAME_BYTES:
            self.info.counts["other_frame_size"] += 1
            if self.settings.other_frame_sizes == "drop":
                return
        if self.state is State.STARTED and self.settings.media_before_join == "drop":
            raise MalformedError("media_before_join")
        self.participant.say(pcm, now_s)

    def _take_stop(self, now_s: float) -> None:
        if self.info.stopped_s is not None:
            raise MalformedError("stop_again")
        self.info.stopped_s = now_s
        self._leave("stopped by the client")
        self.state = State.STOPPED
        if self.settings.meeting_left_on_stop:
            self.send_frame(lifecycle.meeting_left("STOPPED", self.settings))
        if self.settings.after_stop == "close":
            self.close(1000, "")

    # --- the rest

    def inject(self, fault: SocketFault) -> None:
        """Let a fault happen now, or after its delay."""
        if fault.after_ms > 0:
            self.later(f"fault {id(fault)}", fault.after_ms / 1e3, lambda: inject.apply(self, fault))
        else:
            inject.apply(self, fault)

    def _run_script(self, moment: When) -> None:
        for fault in self._script:
            if fault.at == moment and self.state is not State.CLOSED:
                self.inject(fault)

    def _schedule_ping(self) -> None:
        if self.settings.ping_interval_s > 0:
            self.later("ping", self.settings.ping_interval_s, self._ping)

    def _ping(self) -> None:
        if self._awaiting_pong:
            self.cut("heartbeat")
            return
        self._awaiting_pong = True
        self.info.pings_sent += 1
        self.outbox.control(frames.PING)
        self._schedule_ping()

    def _ended(self, by: str, how: str, code: int | None, reason: str) -> None:
        """Note who ended the connection, the first time only."""
        if not self.info.closed_by:
            self.info.closed_by, self.info.how = by, how
            self.info.close_code, self.info.close_reason = code, reason
            self.info.closed_s = time.monotonic()

    def _leave(self, why: str) -> None:
        """Leave the room and hang up the call, once."""
        if self.call is None or not self.call.open:
            return
        self.call.open = False
        if self.participant is not None and self.room is not None:
            self.participant.note_figures()
            self.room.leave(self.participant, self.settings)
        lifecycle.left(self, why)

    def _note_figures(self) -> None:
        for name, count in (
            ("dropped_media", self.outbox.dropped_media),
            ("muted", self.outbox.muted_frames),
        ):
            if count:
                self.info.counts[name] = count
