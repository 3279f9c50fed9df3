"""The supervisor, the main thread: carries out what the lifecycle table says and keeps the one timer."""

from __future__ import annotations

import select
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from ingestd.core import wire
from ingestd.core.backoff import Backoff
from ingestd.core.lifecycle import Action, Happening, Lifecycle, State
from ingestd.errors import BackendError, BackendFault, ChannelClosed, ChannelError, IngestdError, key_of
from ingestd.net.ports import Link
from ingestd.threads.attempt import Attempt
from ingestd.threads.link_slot import LinkSlot
from ingestd.threads.mailbox import (
    AttemptFailed,
    Connected,
    DeviceChanged,
    LinkEnded,
    Mail,
    Mailbox,
    RoomEvent,
    SessionCreated,
    Signalled,
    WorkerDied,
)
from ingestd.threads.supervisor_ports import NetworkEvents, Reporter

_HEARTBEAT_S: Final = 1.0
_HANG_UP_S: Final = 1.0
_GOOD_AFTER_S: Final = 10.0
_HELD_WHEN_NETWORK_CAME_S: Final = 1.0
_HELD_FOR_S: Final = 3.5
"""TCP tries again 3.0 s after a loss and then not before 6.2 s: from here on a fresh session is sooner."""
_ATTEMPT_S: Final = 30.0
_OLD_ATTEMPT_S: Final = 1.0
"""An attempt that began before the network came back, and has had this long, is begun anew."""
_RENEWED_AT_MOST: Final = 3
"""Interfaces of no concern may chatter for ever: after so many in a row an attempt gets all its time."""
_NETWORK_BACK_JITTER_S: Final = 0.5
_HURRY_AT_MOST_EVERY_S: Final = 5.0
_MEETING_LEFT_WAIT_S: Final = 5.0


class Supervisor:
    """Owns the attempts and the current link. Everything here runs in the main thread."""

    def __init__(
        self,
        *,
        mailbox: Mailbox,
        slots: Iterable[LinkSlot],
        held_since_s: Callable[[], float | None],
        new_attempt: Callable[[int], Attempt],
        network: NetworkEvents,
        backoff: Backoff,
        random: Callable[[], float],
        reporter: Reporter,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._mailbox = mailbox
        self._now = now
        self._slots = tuple(slots)
        self._held_since_s = held_since_s
        self._new_attempt = new_attempt
        self._network = network
        self._backoff = backoff
        self._random = random
        self._reporter = reporter
        self._lifecycle = Lifecycle()
        self._attempt: Attempt | None = None
        self._arriving: Link | None = None
        self._timer_s: float | None = None
        self._not_before_s = 0.0  # what a backend or the end of a meeting asked for
        self._network_failed = False  # the last failure was the network's, not a server's answer
        self._hurried_s = -_HURRY_AT_MOST_EVERY_S
        self._attempt_began_s = 0.0
        self._renewed = 0
        self._next_beat_s = 0.0
        self._failed = False
        self.link: Link | None = None
        """The current link. Any thread may read it."""
        self.epoch = 0
        self.connections = 0
        self.messages_sent = 0
        self.wire_faults: Counter[str] = Counter()
        """Of all links before the current one."""
        self.started = 0.0
        """When the current link was adopted, wall-clock seconds since 1970."""
        self.streaming_since_s: float | None = None

    def run(self) -> bool:
        """Until a signal or a bug ends it; False for a bug."""
        poll = select.poll()
        poll.register(self._mailbox.fileno(), select.POLLIN)
        if self._network.fileno() >= 0:
            poll.register(self._network.fileno(), select.POLLIN)
        self.begin()
        while self._lifecycle.state is not State.STOPPED:
            poll.poll(max(0.0, self.due_s() - self._now()) * 1000.0)
            self.step()
        return not self._failed

    def begin(self) -> None:
        """The first attempt; `run` then makes a `step` whenever there is mail, a network event, or `due_s` has come."""
        self._next_beat_s = self._now()
        self._on(Happening.START, "starting")

    def due_s(self) -> float:
        """When the next `step` is to be made at the latest."""
        return self._next_beat_s if self._timer_s is None else min(self._next_beat_s, self._timer_s)

    def step(self) -> None:
        """Takes what has come in and does what is due. Never waits."""
        for mail in self._mailbox.take_all():
            self._take(mail)
        now = self._now()
        if self._network.came_back():
            self._on_network_back(now)
        if self._timer_s is not None and now >= self._timer_s:
            self._timer_s = None
            self._on_timer()
        if now >= self._next_beat_s:
            self._next_beat_s = now + _HEARTBEAT_S
            self._check_link(now)
            self._reporter.heartbeat()

    # --- what comes in ------------------------------------------------------------------------------------------

    def _take(self, mail: Mail) -> None:
        match mail:
            case SessionCreated(epoch, session):
                if epoch == self.epoch and self._lifecycle.state is State.CREATING:
                    self._on(Happening.SESSION_CREATED, f"session {session.call_id or 'without callId'} created")
            case Connected(epoch, link):
                if epoch == self.epoch and self._lifecycle.state is State.CONNECTING:
                    self._arriving = link
                    self._on(Happening.CONNECTED, "connected")
                else:
                    link.shutdown()
                    link.leave()
            case AttemptFailed(epoch, error):
                if epoch == self.epoch and self._lifecycle.state in (State.CREATING, State.CONNECTING):
                    self._on_attempt_failed(error)
            case LinkEnded(epoch, error):
                self._on_link_ended(epoch, error)
            case RoomEvent(epoch, event):
                if epoch == self.epoch and self._lifecycle.state is not State.STOPPED:
                    self._on_room_event(event)
            case DeviceChanged():
                self._reporter.device(mail)
            case WorkerDied(name, error):
                self._failed = True
                self._reporter.bug(f"the {name} thread died of {type(error).__name__}", error)
                self._stop(f"the {name} thread died")
            case Signalled(number):
                self._stop(f"{signal.Signals(number).name} received")

    def _on_attempt_failed(self, error: Exception) -> None:
        if not isinstance(error, IngestdError):
            self._reporter.bug(f"an attempt failed by {type(error).__name__}", error)
        if isinstance(error, BackendError) and error.retry_after_s is not None:
            self._not_before_s = self._now() + error.retry_after_s
        unreachable = isinstance(error, BackendError) and error.fault is BackendFault.UNREACHABLE
        self._network_failed = unreachable or isinstance(error, ChannelError)
        self._on(Happening.FAILED, str(error), key_of(error))

    def _on_link_ended(self, epoch: int, error: Exception) -> None:
        if epoch == self.epoch and self._lifecycle.state in (State.STREAMING, State.STOPPING):
            self._network_failed = True
            self._on(Happening.CLOSED, str(error), key_of(error))

    def _on_room_event(self, event: wire.Event) -> None:
        self._reporter.room_event(event)
        if isinstance(event, wire.MeetingLeft) and self.link is not None:
            self.link.hang_up()  # said when the last user leaves
            self._not_before_s = self._now() + _MEETING_LEFT_WAIT_S
            self._on_link_ended(self.epoch, ChannelClosed("the meeting ended for this device; going back soon"))

    def _on_timer(self) -> None:
        if self._lifecycle.state in (State.CREATING, State.CONNECTING):
            self._network_failed = True
            reason = f"no session came to be within {_ATTEMPT_S:.0f} s; check the network, DNS and backend.url"
            self._on(Happening.TIMER, reason, "attempt-too-long")
        else:
            self._on(Happening.TIMER, "trying again")

    def _stop(self, reason: str) -> None:
        if self._lifecycle.state is not State.STOPPED:
            self._on(Happening.STOP, reason)

    def _on_network_back(self, now: float) -> None:
        held_s = self._held_since_s()
        if self._lifecycle.state is State.STREAMING and held_s is not None:
            if now - held_s > _HELD_WHEN_NETWORK_CAME_S:
                # TCP would try again when its own timer says so, which may be seconds away.
                self._give_up_link("the network came back while nothing got through")
        elif self._lifecycle.state in (State.CREATING, State.CONNECTING):
            if now - self._attempt_began_s > _OLD_ATTEMPT_S and self._renewed < _RENEWED_AT_MOST:
                self._renewed += 1
                self._on(Happening.NETWORK_BACK, "the network came back")
        elif self._lifecycle.state is State.WAITING and self._network_failed:
            self._on(Happening.NETWORK_BACK, "the network came back")

    def _check_link(self, now: float) -> None:
        if self.link is None:
            return
        held_s = self._held_since_s()
        if (verdict := self.link.liveness.verdict(now)) is not None:
            self._give_up_link(verdict)
        elif held_s is not None and now - held_s > _HELD_FOR_S:
            self._give_up_link(f"nothing that was sent has been acknowledged for {now - held_s:.0f} s")

    def _give_up_link(self, reason: str) -> None:
        if self.link is not None:
            self.link.abort()
        self._on_link_ended(self.epoch, ChannelClosed(f"{reason}; taking a fresh session"))

    # --- what is done -------------------------------------------------------------------------------------------

    def _on(self, happening: Happening, reason: str, fault: str | None = None) -> None:
        before = self._lifecycle.state
        actions = self._lifecycle.on(happening)
        for action in actions:
            self._do(action)
        if self._lifecycle.state is not before:
            self._reporter.state(self._lifecycle.state, self.epoch, reason, fault)

    def _do(self, action: Action) -> None:
        match action:
            case Action.ATTEMPT:
                self.epoch += 1
                self._attempt = self._new_attempt(self.epoch)
                self._attempt.start()
                self._attempt_began_s = self._now()
                self._timer_s = self._attempt_began_s + _ATTEMPT_S
            case Action.ABANDON:
                if self._attempt is not None:
                    self._attempt.stop()
            case Action.ADOPT:
                self.link, self._arriving = self._arriving, None
                self.connections += 1
                self.streaming_since_s = self._now()
                self.started = time.time()
                self._offer(self.link)
            case Action.HANG_UP:
                if self.link is not None:
                    self.link.hang_up()
                self._timer_s = self._now() + _HANG_UP_S
            case Action.RELEASE:
                self._release()
            case Action.WAIT:
                # The jitter comes on top: whoever was told the same Retry-After must not come back as one.
                self._timer_s = max(self._now(), self._not_before_s) + self._backoff.next_s()
                self._renewed = 0
            case Action.HURRY:
                # Chatter must not undo the backoff; but the last event of a burst may be the one that counts.
                soonest_s = max(self._now(), self._not_before_s, self._hurried_s + _HURRY_AT_MOST_EVERY_S)
                sooner_s = soonest_s + self._random() * _NETWORK_BACK_JITTER_S
                if self._timer_s is None or sooner_s < self._timer_s:
                    self._timer_s = self._hurried_s = sooner_s
            case Action.CANCEL_TIMER:
                self._timer_s = None

    def _offer(self, link: Link | None) -> None:
        for slot in self._slots:
            slot.offer(link)

    def _release(self) -> None:
        self._offer(None)
        if self.link is not None:
            link, self.link = self.link, None
            self.messages_sent += link.messages_sent
            # Copied in one go: the receiver may be counting still. And replaced whole: others may be reading.
            self.wire_faults = self.wire_faults + Counter(dict(link.wire_faults))
            link.leave()  # sender and receiver leave within one round; the last closes
        if self.streaming_since_s is not None:
            if self._now() - self.streaming_since_s >= _GOOD_AFTER_S:
                self._backoff.reset()
            self.streaming_since_s = None

    @property
    def state(self) -> State:
        """Where the device stands. Any thread."""
        return self._lifecycle.state

    @property
    def next_attempt_in_s(self) -> float | None:
        """Seconds until the next attempt, where one is waited for. Any thread."""
        if self._lifecycle.state is not State.WAITING or (timer_s := self._timer_s) is None:
            return None
        return max(0.0, timer_s - self._now())
