"""A person in the room without a socket: speaks, hears and writes as a test or a demo tells it to."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from tests.standin.jitter import FRAME_BYTES
from tests.standin.mixing import Mix
from tests.standin.room import Participant
from tests.standin.topics import TopicMessage


@dataclass(frozen=True)
class Utterance:
    """PCM that is played from a tick on."""

    first_tick: int
    pcm: bytes
    loop: bool

    @property
    def ticks(self) -> int:
        """How many ticks it lasts, once."""
        return -(-len(self.pcm) // FRAME_BYTES)

    def frame(self, tick: int) -> bytes:
        """The 20 ms that belong to `tick`; the last is filled up with silence."""
        at = (tick - self.first_tick) * FRAME_BYTES
        if self.loop:
            at %= self.ticks * FRAME_BYTES
        return self.pcm[at : at + FRAME_BYTES].ljust(FRAME_BYTES, b"\0")

    def over(self, tick: int) -> bool:
        """Whether `tick` is after the end."""
        return not self.loop and tick >= self.first_tick + self.ticks


class LocalParticipant(Participant):
    """A person in a room; every tick it hears is kept, silence included, up to a bound."""

    def __init__(
        self, participant_id: str, name: str, metadata: dict[str, Any], *, publishing: bool, recorded_s: float
    ) -> None:
        super().__init__(participant_id, name, metadata)
        self.publishing = publishing
        """Whether the microphone is open even while nothing is said."""
        self.first_tick: int | None = None
        """The tick `heard` begins with."""
        self.heard = bytearray()
        """The mix of everyone else, 320 bytes a tick without a gap."""
        self.missed_ticks = 0
        """Ticks that were filled with silence because the room did not tick; 0 in a sound run."""
        self.messages: list[TopicMessage] = []
        self.notices: list[dict[str, Any]] = []
        """participant-joined and participant-left frames, as a device would get them."""
        self.gone = ""
        """Why the meeting is over for this person, or empty."""
        self._limit_bytes = int(recorded_s * 16000)
        self._queue: deque[Utterance] = deque()

    def say(self, pcm: bytes, first_tick: int, loop: bool) -> int:
        """Queue PCM from `first_tick` on, or after what is queued already; returns the tick it begins at."""
        if self._queue:
            last = self._queue[-1]
            if last.loop:
                raise ValueError("a loop is playing; hush it first")
            first_tick = max(first_tick, last.first_tick + last.ticks)
        self._queue.append(Utterance(first_tick, pcm, loop))
        return first_tick

    def hush(self) -> None:
        """Drop everything queued."""
        self._queue.clear()

    @property
    def speaking(self) -> bool:
        """Whether anything is queued or being said."""
        return bool(self._queue)

    def pull(self, tick: int, now_s: float) -> bytes | None:
        """What is said at this tick."""
        while self._queue and self._queue[0].over(tick):
            self._queue.popleft()
        if not self._queue or tick < self._queue[0].first_tick:
            return None
        return self._queue[0].frame(tick)

    def is_publishing(self, now_s: float) -> bool:
        """While the microphone is open or something is being said."""
        return self.publishing or self.speaking

    def hear(self, tick: int, mix: Mix, published: bool) -> None:
        """Keep one tick."""
        if self.first_tick is None:
            self.first_tick = tick
        missing = tick - self.first_tick - len(self.heard) // FRAME_BYTES
        if len(self.heard) < self._limit_bytes:
            if missing > 0:
                self.missed_ticks += missing
                self.heard += bytes(missing * FRAME_BYTES)
            self.heard += mix.pcm

    def receive(self, message: TopicMessage) -> None:
        """Keep a message."""
        self.messages.append(message)

    def notice(self, frame: dict[str, Any]) -> None:
        """Keep a notice."""
        self.notices.append(frame)

    def meeting_over(self, message: str, evicted: bool) -> None:
        """Remember why."""
        self.gone = message
