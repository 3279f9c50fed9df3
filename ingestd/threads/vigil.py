"""What the supervisor looks at from time to time: the link's pulse, the room, limits, clock and token. Its thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from ingestd.core import wire
from ingestd.core.calllimits import CallLimits
from ingestd.core.clockstep import ClockWatch
from ingestd.core.onlyonce import OnlyOnce
from ingestd.core.presence import Presence
from ingestd.core.times import DEFAULT, Times
from ingestd.threads.connections import Connections
from ingestd.threads.supervisor_ports import Reporter


class News(NamedTuple):
    """Something has changed that attempts depend on."""

    text: str
    hurry: bool
    """What was in the way may be gone, for many devices at once; else a new session is wanted of this one."""


class Changing(Protocol):
    """See `config.watch.FileWatch`."""

    def changed(self, now_s: float) -> bool:
        """True once after each change."""


class Senses(NamedTuple):
    """What sender and receiver have noticed; each is read without a lock."""

    held_since_s: Callable[[], float | None]
    """Since when the link has taken no media."""
    media_s: Callable[[], float | None]
    """When room audio came last, be it silence;"""
    heard_s: Callable[[], float | None]
    """when it was more than silence."""


class Vigil:
    """Asked by the supervisor; decides nothing itself."""

    def __init__(
        self,
        connections: Connections,
        reporter: Reporter,
        limits: CallLimits,
        senses: Senses,
        token: Changing,
        own_id: str | None = None,
        times: Times = DEFAULT,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`own_id` is this device's id in the room where it has one; `token` the file that sessions are asked with."""
        self.limits = limits
        self.token = token
        self.own_id = own_id
        self._connections = connections
        self._reporter = reporter
        self._senses = senses
        self._times = times
        self._wall = wall
        self._clock = ClockWatch()
        self._messages = OnlyOnce()
        self._rooms: dict[int, Presence] = {}  # by epoch
        self._carrying_epoch: int | None = None

    # --- the room ---------------------------------------------------------------------------------------------------

    def joined(self, epoch: int, now: float) -> None:
        """That link is in the room."""
        if (room := self._of(epoch)) is not None:
            room.joined(now)

    def room_event(self, epoch: int, event: wire.Event, now: float) -> bool:
        """Something came in on that link; True where it says that the meeting is over for it."""
        carrying = self._connections.carrying
        carries = carrying is not None and carrying.epoch == epoch
        if isinstance(event, wire.Message):
            # One that is on its way out may still bring what the other was not told; without an id only one may speak.
            known = self._connections.knows(epoch) and (event.id or carries)
            own = event.sender_id is not None and event.sender_id == self.own_id  # by a session before, from history
            if known and not own and self._messages.is_new(event.id):
                self._reporter.room_event(event)
            return False
        room = self._of(epoch)
        if room is None:
            return False  # of a dead epoch
        match event:
            case wire.ParticipantJoined(participant):
                room.participant_joined(participant.id, now)
            case wire.ParticipantLeft(participant):
                room.participant_left(participant.id, now)
        if carries:
            self._reporter.room_event(event)
        return isinstance(event, wire.MeetingLeft)

    def room(self, now: float) -> Presence | None:
        """Who is there, by the link that carries the call."""
        carrying = self._connections.carrying
        if carrying is None or (room := self._of(carrying.epoch)) is None:
            return None
        if carrying.epoch != self._carrying_epoch:
            first = self._rooms.get(self._carrying_epoch) if self._carrying_epoch is not None else None
            if first is not None and self._connections.taken_over_from == self._carrying_epoch:
                room.take_over(first, self._connections.second_asked_s, now)
            self._carrying_epoch = carrying.epoch
        epochs = {link.epoch for link in self._connections.all()}
        self._rooms = {epoch: one for epoch, one in self._rooms.items() if epoch in epochs}
        since_s = self._connections.carrying_since_s
        if now - since_s >= self._times.good_after_s:
            room.joined(now)  # not every service says so
        if (media_s := self._senses.media_s()) is not None and media_s >= since_s:
            room.media(media_s)
        if (heard_s := self._senses.heard_s()) is not None and heard_s >= since_s:
            room.heard(heard_s)
        return room

    def _of(self, epoch: int) -> Presence | None:
        if all(link.epoch != epoch for link in self._connections.all()):
            return None
        return self._rooms.setdefault(epoch, Presence(self.own_id))

    # --- once a second ------------------------------------------------------------------------------------------------

    def held_for_s(self, now: float) -> float:
        """How long the link has taken no media; 0 while it does."""
        held_since_s = self._senses.held_since_s()
        if held_since_s is None:
            return 0.0
        return now - max(held_since_s, self._connections.carrying_since_s)  # until the sender looks, of the link before

    def verdict(self, now: float) -> str | None:
        """Why the link that carries the call counts as dead, or None."""
        link = self._connections.carrying
        if link is None:
            return None
        if (verdict := link.liveness.verdict(now)) is not None:
            return verdict
        if self.held_for_s(now) > self._times.held_s:
            return f"nothing that was sent has been acknowledged for {self.held_for_s(now):.0f} s"
        return None

    def call_over(self, call_since_s: float | None, now: float) -> str | None:
        """Why the call that began then is over, or None."""
        room = self.room(now)
        if room is None or call_since_s is None:
            return None
        return self.limits.over(call_since_s, room.alone_since(now), now)

    def renewal_due(self, now: float) -> str | None:
        """Why the session that carries the call is to be renewed, or None."""
        if self._connections.carrying is None:
            return None
        return self.limits.renew(self._connections.opened_s, now)

    def news(self, now: float) -> list[News]:
        """What has changed since the last time."""
        news = []
        if (step_s := self._clock.stepped(now, self._wall())) is not None:
            news.append(News(f"the clock was set by {step_s:+.0f} s", hurry=True))
        if self.token.changed(now):
            news.append(News("there is a new token", hurry=False))
        return news
