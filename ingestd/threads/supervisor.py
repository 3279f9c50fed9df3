"""The supervisor, the main thread: carries out what the lifecycle table says and keeps the one timer."""

from __future__ import annotations

import select
import signal
import time
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from ingestd.core import wire
from ingestd.core.backoff import Backoff
from ingestd.core.lifecycle import Action, Happening, Lifecycle, State
from ingestd.errors import BackendError
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

_HEARTBEAT_S: Final = 1.0
_HANG_UP_S: Final = 1.0
_GOOD_AFTER_S: Final = 10.0
_HELD_WHEN_NETWORK_CAME_S: Final = 1.0
_NETWORK_BACK_JITTER_S: Final = 0.5


class NetworkEvents(Protocol):
    """See `net.network_watch`."""

    def fileno(self) -> int:
        """Readable when something changed, or -1."""

    def came_back(self) -> bool:
        """True if a link, address or route has come."""


class Reporter(Protocol):
    """Who hears of what happens: log, systemd, status, clients. Called by the supervisor thread only."""

    def state(self, state: State, epoch: int, reason: str) -> None:
        """The lifecycle moved."""

    def room_event(self, event: wire.Event) -> None:
        """Something other than audio came in."""

    def device(self, mail: DeviceChanged) -> None:
        """A sound device was opened or lost."""

    def heartbeat(self) -> None:
        """About once a second, while all is well with the supervisor itself."""

    def fatal(self, message: str, error: BaseException) -> None:
        """The daemon ends because of a bug."""


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
    ) -> None:
        self._mailbox = mailbox
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
        self._retry_after_s: float | None = None
        self._failed = False
        self.link: Link | None = None
        """The current link. Any thread may read it."""
        self.epoch = 0
        self.connections = 0
        self.streaming_since_s: float | None = None

    def run(self) -> bool:
        """Until a signal or a bug ends it; False for a bug."""
        poll = select.poll()
        poll.register(self._mailbox.fileno(), select.POLLIN)
        if self._network.fileno() >= 0:
            poll.register(self._network.fileno(), select.POLLIN)
        next_beat_s = time.monotonic()
        self._on(Happening.START, "starting")
        while self._lifecycle.state is not State.STOPPED:
            due_s = next_beat_s if self._timer_s is None else min(next_beat_s, self._timer_s)
            poll.poll(max(0.0, due_s - time.monotonic()) * 1000.0)
            for mail in self._mailbox.take_all():
                self._take(mail)
            if self._network.came_back():
                self._on_network_back(time.monotonic())
            now = time.monotonic()
            if self._timer_s is not None and now >= self._timer_s:
                self._timer_s = None
                self._on(Happening.TIMER, "trying again")
            if now >= next_beat_s:
                next_beat_s = now + _HEARTBEAT_S
                self._check_link(now)
                self._reporter.heartbeat()
        return not self._failed

    # --- what comes in ------------------------------------------------------------------------------------------

    def _take(self, mail: Mail) -> None:
        stopped = self._lifecycle.state is State.STOPPED
        match mail:
            case SessionCreated(epoch, session):
                if epoch == self.epoch and not stopped:
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
                    self._retry_after_s = error.retry_after_s if isinstance(error, BackendError) else None
                    self._on(Happening.FAILED, str(error))
            case LinkEnded(epoch, error):
                self._on_link_ended(epoch, str(error))
            case RoomEvent(epoch, event):
                if epoch == self.epoch:
                    self._reporter.room_event(event)
            case DeviceChanged():
                self._reporter.device(mail)
            case WorkerDied(name, error):
                self._failed = True
                self._reporter.fatal(f"the {name} thread died of {type(error).__name__}", error)
                self._stop(f"the {name} thread died")
            case Signalled(number):
                self._stop(f"{signal.Signals(number).name} received")

    def _on_link_ended(self, epoch: int, reason: str) -> None:
        if epoch == self.epoch and self._lifecycle.state in (State.STREAMING, State.STOPPING):
            self._on(Happening.CLOSED, reason)

    def _stop(self, reason: str) -> None:
        if self._lifecycle.state is not State.STOPPED:
            self._on(Happening.STOP, reason)

    def _on_network_back(self, now: float) -> None:
        held_s = self._held_since_s()
        if self._lifecycle.state is State.STREAMING and held_s is not None:
            if now - held_s > _HELD_WHEN_NETWORK_CAME_S:
                # TCP would try again when its own timer says so, which may be seconds away.
                self._give_up_link("the network came back while nothing got through")
        elif self._lifecycle.state is not State.STOPPED:
            self._on(Happening.NETWORK_BACK, "the network came back")

    def _check_link(self, now: float) -> None:
        if self.link is not None and (verdict := self.link.liveness.verdict(now)) is not None:
            self._give_up_link(verdict)

    def _give_up_link(self, reason: str) -> None:
        if self.link is not None:
            self.link.abort()
        self._on_link_ended(self.epoch, reason)

    # --- what is done -------------------------------------------------------------------------------------------

    def _on(self, happening: Happening, reason: str) -> None:
        before = self._lifecycle.state
        actions = self._lifecycle.on(happening)
        for action in actions:
            self._do(action)
        if self._lifecycle.state is not before:
            self._reporter.state(self._lifecycle.state, self.epoch, reason)

    def _do(self, action: Action) -> None:
        match action:
            case Action.ATTEMPT:
                self.epoch += 1
                self._attempt = self._new_attempt(self.epoch)
                self._attempt.start()
            case Action.ABANDON:
                if self._attempt is not None:
                    self._attempt.stop()
            case Action.ADOPT:
                self.link, self._arriving = self._arriving, None
                self.connections += 1
                self.streaming_since_s = time.monotonic()
                self._offer(self.link)
            case Action.HANG_UP:
                if self.link is not None:
                    self.link.hang_up()
                self._timer_s = time.monotonic() + _HANG_UP_S
            case Action.RELEASE:
                self._release()
            case Action.WAIT:
                wait_s = self._backoff.next_s() + (self._retry_after_s or 0.0)
                self._retry_after_s = None
                self._timer_s = time.monotonic() + wait_s
            case Action.HURRY:
                sooner_s = time.monotonic() + self._random() * _NETWORK_BACK_JITTER_S
                self._timer_s = sooner_s if self._timer_s is None else min(self._timer_s, sooner_s)
            case Action.CANCEL_TIMER:
                self._timer_s = None

    def _offer(self, link: Link | None) -> None:
        for slot in self._slots:
            slot.offer(link)

    def _release(self) -> None:
        self._offer(None)
        if self.link is not None:
            self.link.leave()  # sender and receiver leave within one round; the last closes
            self.link = None
        if self.streaming_since_s is not None:
            if time.monotonic() - self.streaming_since_s >= _GOOD_AFTER_S:
                self._backoff.reset()
            self.streaming_since_s = None

    @property
    def state(self) -> State:
        """Where the device stands. Any thread."""
        return self._lifecycle.state

    @property
    def next_attempt_in_s(self) -> float | None:
        """Seconds until the next attempt, where one is waited for. Any thread."""
        timer_s = self._timer_s
        if self._lifecycle.state is not State.WAITING or timer_s is None:
            return None
        return max(0.0, timer_s - time.monotonic())
