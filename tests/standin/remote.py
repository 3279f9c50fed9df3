"""A participant behind a WebSocket connection."""

from __future__ import annotations

from typing import Any, Protocol

from tests.standin.calls import Call
from tests.standin.jitter import BYTES_PER_MS, JitterQueue
from tests.standin.mixing import Mix, media_message
from tests.standin.room import Participant
from tests.standin.settings import Settings
from tests.standin.topics import TopicMessage


class Link(Protocol):
    """What a participant needs of its connection."""

    def send_media(self, pcm: bytes, message: bytes) -> None:
        """Send room audio: the PCM and its media frame as JSON."""

    def send_frame(self, frame: dict[str, Any]) -> None:
        """Send any other frame."""

    def end_meeting(self, message: str, evicted: bool) -> None:
        """Tell the client that its meeting is over and close, as the switches say."""

    @property
    def settings(self) -> Settings:
        """The switches as they are now."""


class RemoteParticipant(Participant):
    """Plays what arrives through a jitter queue into the room, and sends the room back."""

    def __init__(self, call: Call, link: Link) -> None:
        super().__init__(call.info.participant_id, call.info.participant_name, call.metadata)
        self._call = call
        self._link = link
        self._queue = JitterQueue(link.settings.prime_ms, link.settings.cap_ms)
        self._last_media_s = float("-inf")
        self._gathered = bytearray()
        self._burst: list[bytes] = []

    def say(self, pcm: bytes, now_s: float) -> None:
        """Audio that arrived at the monotonic time `now_s` (seconds)."""
        self._last_media_s = now_s
        self._queue.push(pcm, now_s)

    def note_figures(self) -> None:
        """Write the jitter queue's figures into the call's record."""
        self._call.info.queued_bytes = self._queue.held_bytes
        self._call.info.jitter_dropped_bytes = self._queue.dropped_bytes
        self._call.info.ran_dry = self._queue.ran_dry

    def pull(self, tick: int, now_s: float) -> bytes | None:
        """20 ms out of the jitter queue."""
        return self._queue.pull(now_s)

    def is_publishing(self, now_s: float) -> bool:
        """While audio is queued or came lately."""
        hold_s = self._link.settings.publishing_hold_ms / 1e3
        return self._queue.primed or now_s - self._last_media_s < hold_s

    def hear(self, tick: int, mix: Mix, published: bool) -> None:
        """Send the mix in frames of the length and in the bursts that are switched on."""
        settings = self._link.settings
        if not published and settings.quiet == "nothing":
            return
        if settings.send_frame_ms == 20 and settings.send_burst_frames == 1:
            self._link.send_media(mix.pcm, mix.message)
            return
        self._gathered += mix.pcm
        size = settings.send_frame_ms * BYTES_PER_MS
        while len(self._gathered) >= size:
            self._burst.append(bytes(self._gathered[:size]))
            del self._gathered[:size]
        if len(self._burst) >= settings.send_burst_frames:
            for pcm in self._burst:
                self._link.send_media(pcm, media_message(pcm))
            self._burst.clear()

    def receive(self, message: TopicMessage) -> None:
        """Send a message frame."""
        self._call.info.messages_out += 1
        self._link.send_frame(message.frame())

    def notice(self, frame: dict[str, Any]) -> None:
        """Send participant-joined or participant-left."""
        self._link.send_frame(frame)

    def meeting_over(self, message: str, evicted: bool) -> None:
        """Pass it on to the client."""
        self._link.end_meeting(message, evicted)
