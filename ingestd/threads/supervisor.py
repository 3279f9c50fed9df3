"""The supervisor, the main thread: takes what every thread, the network, the clock and people have to say."""

from __future__ import annotations

import math
import select
import signal
import time
from collections.abc import Callable
from typing import Final

from ingestd.core.backoff import Backoff
from ingestd.core.lifecycle import ATTEMPTING, IN_THE_ROOM, Happening, State
from ingestd.core.times import DEFAULT, Times
from ingestd.errors import IngestdError
from ingestd.threads.asking import Desk
from ingestd.threads.call import Call
from ingestd.threads.mailbox import (
    Asked,
    AttemptFailed,
    Connected,
    DeviceChanged,
    LinkEnded,
    LinkJoined,
    LinkReady,
    Mail,
    Mailbox,
    MetricsChanged,
    RoomEvent,
    SessionCreated,
    Signalled,
    WorkerDied,
)
from ingestd.threads.supervisor_ports import NetworkEvents, Reporter
from ingestd.threads.vigil import Vigil

_HEARTBEAT_S: Final = 1.0
_STOPPED_S: Final = 3.0


class Supervisor:
    """Waits for mail, network events and the timer, and tells the call what happened. The main thread."""

    def __init__(
        self,
        *,
        mailbox: Mailbox,
        call: Call,
        vigil: Vigil,
        desk: Desk,
        network: NetworkEvents,
        reporter: Reporter,
        times: Times = DEFAULT,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._mailbox = mailbox
        self._call = call
        self._vigil = vigil
        self._desk = desk
        self._network = network
        self._reporter = reporter
        self._times = times
        self._now = now
        self._route_check_s: float | None = None
        self._rerouting = Backoff(lambda: 1.0, times.hurry_every_s, times.person_most_s)
        self._rerouted_s = self._reroute_from_s = -math.inf
        self._next_beat_s = self._beat_s = 0.0
        self._failed = False

    def run(self) -> bool:
        """Until a signal or a bug ends it; False for a bug."""
        poll = select.poll()
        poll.register(self._mailbox.fileno(), select.POLLIN)
        if self._network.fileno() >= 0:
            poll.register(self._network.fileno(), select.POLLIN)
        self.begin()
        while self._call.state is not State.STOPPED:
            poll.poll(max(0.0, self.due_s() - self._now()) * 1000.0)
            self.step()
        self._mailbox.shut()
        return not self._failed

    def begin(self) -> None:
        """The first attempt; `run` then makes a `step` whenever there is mail, a network event, or `due_s` has come."""
        self._next_beat_s = self._beat_s = self._now()
        if self._call.plan.demand:
            self._call.on(Happening.STAND_BY, "waiting until a call is asked for")
        else:
            self._call.on(Happening.START, "starting")

    def due_s(self) -> float:
        """When the next `step` is to be made at the latest."""
        due = (self._next_beat_s, self._call.timer_s, self._route_check_s, self._call.connections.due_s)
        return min(s for s in due if s is not None)

    def step(self) -> None:
        """Takes what has come in and does what is due. Never waits."""
        call = self._call
        for mail in self._mailbox.take_all():
            self._take(mail)
        if call.state is not State.STOPPED:
            self._look_around()

    def _look_around(self) -> None:
        call, now = self._call, self._now()
        events = self._network.take()
        if events.changed and self._route_check_s is None:  # chatter must not put it off for ever
            self._route_check_s = now + self._times.settle_s
        if events.came_back:
            self._on_network_back(now)
        if self._route_check_s is not None and now >= self._route_check_s:
            self._route_check_s = self._check_route(now)
        call.connections.tick()
        if call.timer_s is not None and now >= call.timer_s:
            call.on_timer()
        if now >= self._next_beat_s:
            self._next_beat_s = now + _HEARTBEAT_S
            if call.state is not State.STOPPED:
                self._beat(now)

    def _take(self, mail: Mail) -> None:
        call = self._call
        match mail:
            case SessionCreated(epoch, session):
                if epoch == call.epoch and call.state in (State.CREATING, State.RENEWING):
                    self._reporter.session(epoch, session.call_id)
                    call.on(Happening.SESSION_CREATED, f"session {session.call_id or 'without callId'} created")
            case Connected(epoch, link):
                if epoch == call.epoch and call.state in (State.CONNECTING, State.RENEWING_CONNECTING):
                    call.connected(link)
                else:
                    link.shutdown()
                    link.leave()
            case AttemptFailed(epoch, error):
                if not isinstance(error, IngestdError):
                    self._reporter.bug(f"an attempt failed by {type(error).__name__}", error)
                if epoch == call.epoch and call.state in ATTEMPTING:
                    call.attempt_failed(error)
            case LinkEnded(epoch, error):
                call.link_ended(epoch, error)
            case LinkJoined(epoch):
                self._vigil.joined(epoch, self._now())
            case LinkReady(epoch):
                if call.state is State.OVERLAPPING and epoch == call.epoch:
                    call.on(Happening.READY, "the new session has taken over")
            case RoomEvent(epoch, event):
                if self._vigil.room_event(epoch, event, self._now()):
                    call.meeting_left(epoch)
            case DeviceChanged():
                self._reporter.device(mail)
            case MetricsChanged():
                self._reporter.metrics(mail)
            case Asked():
                self._desk.serve(mail)
            case WorkerDied(name, error):
                self._failed = True
                self._reporter.bug(f"the {name} thread died of {type(error).__name__}", error)
                self._stop(f"the {name} thread died")
            case Signalled(signal.SIGHUP):
                if call.state not in (State.STOPPING, State.STOPPED):
                    self._desk.reload()
            case Signalled(number):
                self._stop(f"{signal.Signals(number).name} received")

    def _stop(self, reason: str) -> None:
        if self._call.state is not State.STOPPED:
            self._call.on(Happening.STOP, reason)

    def _on_network_back(self, now: float) -> None:
        call = self._call
        if call.state in IN_THE_ROOM:
            if self._vigil.held_for_s(now) > self._times.held_when_network_came_s:
                # TCP would try again when its own timer says so, which may be seconds away.
                call.give_up_link("the network came back while nothing got through")
                call.network_back("the network came back")  # for the attempt of a renewal, which is as stuck
        elif call.state is not State.WAITING or call.failed_by_network:
            call.network_back("the network came back")

    def _check_route(self, now: float) -> float | None:
        """Returns when to look again, where it can't be told yet."""
        state = self._call.state
        if state in ATTEMPTING or state is State.OVERLAPPING:
            return now + self._times.settle_s
        link = self._call.connections.carrying
        if link is None or state is not State.STREAMING:
            return None
        if now - self._rerouted_s > 2.0 * self._times.person_most_s:
            self._rerouting.reset()
        if now < (from_s := max(self._reroute_from_s, self._call.waits.not_before_s)):
            return from_s
        if link.route_changed():
            self._rerouted_s = now
            self._reroute_from_s = now + self._rerouting.next_s()  # a route that flaps must not renew for ever
            self._call.renew("the way to the server has changed")
        return None

    def _beat(self, now: float) -> None:
        call = self._call
        call.judge()
        stopped = now - self._beat_s > _STOPPED_S  # all of this process was: what came meanwhile is still unread
        self._beat_s = now
        if not stopped and (verdict := self._vigil.verdict(now)) is not None:
            call.give_up_link(verdict)
        elif call.state in IN_THE_ROOM and (over := self._vigil.call_over(call.since_s, now)) is not None:
            call.finish(over)
        elif (
            call.state is State.STREAMING and call.timer_s is None and (due := self._vigil.renewal_due(now)) is not None
        ):
            call.renew(due)
        for news in self._vigil.news(now):
            if now < call.waits.not_before_s:
                continue  # a server asked for that; the next attempt reads the token anyhow
            if news.hurry:
                call.network_back(news.text)
            else:
                call.renew_later(news.text)
        room = self._vigil.room(now)
        self._reporter.heartbeat(None if room is None else room.view(now))
