"""A supervisor whose clock, attempts, links and network are the test's own."""

from __future__ import annotations

from collections import Counter
from typing import cast

from ingestd.core import wire
from ingestd.core.calllimits import CallLimits
from ingestd.core.ingest_session import IngestSession
from ingestd.core.lifecycle import State
from ingestd.core.liveness import Liveness
from ingestd.core.presence import RoomView
from ingestd.core.retry import Cause, Retry
from ingestd.core.times import DEFAULT
from ingestd.core.waits import Waits
from ingestd.errors import IngestdError
from ingestd.net.network_watch import EVERYTHING, NOTHING, Events
from ingestd.net.ports import Link
from ingestd.threads.asking import Desk
from ingestd.threads.attempt import Attempt
from ingestd.threads.call import Call
from ingestd.threads.callplan import CallPlan
from ingestd.threads.connections import Connections
from ingestd.threads.link_slot import LinkSlot
from ingestd.threads.mailbox import (
    Asked,
    Connected,
    DeviceChanged,
    Mail,
    Mailbox,
    MetricsChanged,
    Request,
    SessionCreated,
)
from ingestd.threads.supervisor import Supervisor
from ingestd.threads.vigil import Senses, Vigil
from tests.rig.scripted_ports import ScriptedLink

SESSION = IngestSession("wss://example.com/?ref=x", "call", 90.0)
START_S = 1000.0
OWN_ID = "device"
"""This device's, in the room."""


class FakeAttempt:
    """Remembers what the supervisor did with it; its results are the test's to post."""

    def __init__(self, epoch: int, given: IngestSession | None) -> None:
        self.epoch = epoch
        self.given = given
        self.started = False
        self.stopped = False

    def start(self) -> None:
        self.started = True

    def stop(self) -> None:
        self.stopped = True


class FakeNetwork:
    """Says once what happened, after the test said so."""

    def __init__(self) -> None:
        self.events = NOTHING

    def fileno(self) -> int:
        return -1

    def take(self) -> Events:
        events, self.events = self.events, NOTHING
        return events


class FakeToken:
    """Says once that it changed, after the test said so."""

    def __init__(self) -> None:
        self.is_new = False

    def changed(self, _now_s: float) -> bool:
        is_new, self.is_new = self.is_new, False
        return is_new


class FakeReporter:
    """Keeps everything."""

    def __init__(self) -> None:
        self.states: list[tuple[State, int, str, Exception | None]] = []
        self.events: list[wire.Event] = []
        self.devices: list[DeviceChanged] = []
        self.beats = 0
        self.room: RoomView | None = None
        self.bugs: list[str] = []

    def state(self, state: State, epoch: int, reason: str, error: Exception | None) -> None:
        self.states.append((state, epoch, reason, error))

    def room_event(self, event: wire.Event) -> None:
        self.events.append(event)

    def session(self, epoch: int, call_id: str | None) -> None:
        """Only the journal hears of it."""

    def metrics(self, mail: MetricsChanged) -> None:
        """Only the log and the status hear of it."""

    def device(self, mail: DeviceChanged) -> None:
        self.devices.append(mail)

    def heartbeat(self, room: RoomView | None) -> None:
        self.beats += 1
        self.room = room

    def bug(self, message: str, error: BaseException) -> None:
        self.bugs.append(message)


class Case:
    """The supervisor under test. Random numbers are 1.0 (just), so that every backoff is its ceiling: 0.5, 1, 2 … s."""

    def __init__(
        self,
        *,
        demand: bool = False,
        break_first: bool = False,
        max_age_s: float | None = None,
        max_call_s: float | None = None,
        alone_s: float | None = None,
    ) -> None:
        self.now = START_S
        self.wall_ahead_s = 1e9
        self.held_since_s: float | None = None
        self.media_s: float | None = None
        self.heard_s: float | None = None
        self.mailbox = Mailbox()
        self.network = FakeNetwork()
        self.token = FakeToken()
        self.reporter = FakeReporter()
        self.slots = (LinkSlot(), LinkSlot())
        self.attempts: list[FakeAttempt] = []
        self.reloads = 0
        self.reload_error: Exception | None = None
        self.retry = Retry(lambda: 1.0)
        self.connections = Connections(*self.slots, DEFAULT.goodbye_s, lambda: self.now)
        self.plan = CallPlan(self._new_attempt, demand, break_first)
        waits = Waits(self.retry, lambda: 1.0, DEFAULT)
        self.call = Call(self.connections, self.plan, waits, DEFAULT, lambda: self.now, self.reporter.state)
        self.vigil = Vigil(
            self.connections,
            self.reporter,
            CallLimits(max_age_s, max_call_s, alone_s, lambda: 0.0),
            Senses(lambda: self.held_since_s, lambda: self.media_s, lambda: self.heard_s),
            self.token,
            own_id=OWN_ID,
            wall=lambda: self.now + self.wall_ahead_s,
        )
        self.supervisor = Supervisor(
            mailbox=self.mailbox,
            call=self.call,
            vigil=self.vigil,
            desk=Desk(self.call, self._reload, self.reporter.bug, now=lambda: self.now),
            network=self.network,
            reporter=self.reporter,
            now=lambda: self.now,
        )

    def _new_attempt(self, epoch: int, given: IngestSession | None) -> Attempt:
        attempt = FakeAttempt(epoch, given)
        self.attempts.append(attempt)
        return cast(Attempt, attempt)

    def _reload(self) -> str:
        self.reloads += 1
        if self.reload_error is not None:
            raise self.reload_error
        return "read anew"

    @property
    def link(self) -> Link | None:
        """The one that carries the call."""
        return self.connections.carrying

    @property
    def waits(self) -> int:
        """How often a wait was begun."""
        return sum(state is State.WAITING for state, *_ in self.reporter.states)

    def ask(self, request: Request, ws_url: str | None = None) -> str | IngestdError:
        """What the supervisor answers."""
        answers: list[str | IngestdError] = []
        self.post(Asked(request, answers.append, ws_url))
        (answer,) = answers
        return answer

    def many_failures(self) -> None:
        """The backoff is at its ceiling from now on."""
        for _ in range(10):
            self.retry.wait_s(Cause.TRANSIENT)

    def state(self) -> State:
        return self.call.state

    def post(self, *mail: Mail) -> None:
        """Mail that the supervisor takes at once, all in one step."""
        for each in mail:
            self.mailbox.post(each)
        self.supervisor.step()

    def network_back(self) -> None:
        """A network event, heard at once."""
        self.network.events = EVERYTHING
        self.supervisor.step()

    def after(self, seconds: float) -> None:
        """Time passes; every step that falls due in it is made, at its time."""
        end = self.now + seconds
        for _ in range(100_000):
            due = self.supervisor.due_s()
            if due > end or self.state() is State.STOPPED:  # where `run` ends
                break
            self.now = max(self.now, due)
            self.supervisor.step()
        else:
            raise AssertionError("the supervisor spins")
        self.now = end

    def new_link(self, epoch: int | None = None) -> ScriptedLink:
        """An open link with its maker as its one user, whose peer has just been heard."""
        link = ScriptedLink(self.call.epoch if epoch is None else epoch)
        link.liveness = Liveness(self.now)
        return link

    def begin(self) -> None:
        """The first attempt is under way."""
        self.supervisor.begin()

    def connect(self) -> ScriptedLink:
        """The present attempt succeeds."""
        link = self.new_link()
        self.post(SessionCreated(link.epoch, SESSION), Connected(link.epoch, link))
        assert self.state() is State.STREAMING
        return link

    def streaming(self) -> ScriptedLink:
        """From nothing to the room."""
        self.begin()
        return self.connect()

    def users_look(self) -> None:
        """Sender and receiver come round."""
        for slot in self.slots:
            slot.current()

    def waiting_s(self) -> float:
        """How long until the next attempt."""
        assert self.state() is State.WAITING
        assert self.call.timer_s is not None
        return self.call.timer_s - self.now

    def hear(self, link: ScriptedLink) -> None:
        """The peer is alive now."""
        link.liveness.inbound(self.now)

    def totals(self) -> Counter[str]:
        return self.connections.wire_faults
