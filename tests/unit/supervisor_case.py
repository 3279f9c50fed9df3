"""A supervisor whose clock, attempts, links and network are the test's own."""

from __future__ import annotations

from collections import Counter
from typing import cast

from ingestd.core import wire
from ingestd.core.backoff import Backoff
from ingestd.core.ingest_session import IngestSession
from ingestd.core.lifecycle import State
from ingestd.core.liveness import Liveness
from ingestd.threads.attempt import Attempt
from ingestd.threads.link_slot import LinkSlot
from ingestd.threads.mailbox import Connected, DeviceChanged, Mail, Mailbox, SessionCreated
from ingestd.threads.supervisor import Supervisor
from tests.rig.scripted_ports import ScriptedLink

SESSION = IngestSession("wss://example.com/?ref=x", "call", 90.0)
START_S = 1000.0


class FakeAttempt:
    """Remembers what the supervisor did with it; its results are the test's to post."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.started = False
        self.stopped = False

    def start(self) -> None:
        self.started = True

    def stop(self) -> None:
        self.stopped = True


class FakeNetwork:
    """Says once that it came back, after the test said so."""

    def __init__(self) -> None:
        self.back = False

    def fileno(self) -> int:
        return -1

    def came_back(self) -> bool:
        back, self.back = self.back, False
        return back


class FakeReporter:
    """Keeps everything."""

    def __init__(self) -> None:
        self.states: list[tuple[State, int, str, str | None]] = []
        self.events: list[wire.Event] = []
        self.devices: list[DeviceChanged] = []
        self.beats = 0
        self.bugs: list[str] = []

    def state(self, state: State, epoch: int, reason: str, fault: str | None) -> None:
        self.states.append((state, epoch, reason, fault))

    def room_event(self, event: wire.Event) -> None:
        self.events.append(event)

    def device(self, mail: DeviceChanged) -> None:
        self.devices.append(mail)

    def heartbeat(self) -> None:
        self.beats += 1

    def bug(self, message: str, error: BaseException) -> None:
        self.bugs.append(message)


class Case:
    """The supervisor under test. Random numbers are 1.0 (just), so that every backoff is its ceiling: 0.5, 1, 2 … s."""

    def __init__(self) -> None:
        self.now = START_S
        self.held_since_s: float | None = None
        self.mailbox = Mailbox()
        self.network = FakeNetwork()
        self.reporter = FakeReporter()
        self.slots = (LinkSlot(), LinkSlot())
        self.attempts: list[FakeAttempt] = []
        self.backoff = Backoff(lambda: 1.0)
        self.supervisor = Supervisor(
            mailbox=self.mailbox,
            slots=self.slots,
            held_since_s=lambda: self.held_since_s,
            new_attempt=self._new_attempt,
            network=self.network,
            backoff=self.backoff,
            random=lambda: 1.0,
            reporter=self.reporter,
            now=lambda: self.now,
        )

    def _new_attempt(self, epoch: int) -> Attempt:
        attempt = FakeAttempt(epoch)
        self.attempts.append(attempt)
        return cast(Attempt, attempt)

    def state(self) -> State:
        return self.supervisor.state

    def post(self, *mail: Mail) -> None:
        """Mail that the supervisor takes at once, all in one step."""
        for each in mail:
            self.mailbox.post(each)
        self.supervisor.step()

    def network_back(self) -> None:
        """A network event, heard at once."""
        self.network.back = True
        self.supervisor.step()

    def after(self, seconds: float) -> None:
        """Time passes; every step that falls due in it is made, at its time."""
        end = self.now + seconds
        for _ in range(100_000):
            due = self.supervisor.due_s()
            if due > end:
                break
            self.now = max(self.now, due)
            self.supervisor.step()
        else:
            raise AssertionError("the supervisor spins")
        self.now = end

    def link(self, epoch: int | None = None) -> ScriptedLink:
        """An open link with its maker as its one user, whose peer has just been heard."""
        link = ScriptedLink(self.supervisor.epoch if epoch is None else epoch)
        link.liveness = Liveness(self.now)
        return link

    def begin(self) -> None:
        """The first attempt is under way."""
        self.supervisor.begin()

    def connect(self) -> ScriptedLink:
        """The present attempt succeeds."""
        link = self.link()
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
        wait = self.supervisor.next_attempt_in_s
        assert wait is not None
        return wait

    def hear(self, link: ScriptedLink) -> None:
        """The peer is alive now."""
        link.liveness.inbound(self.now)

    def totals(self) -> tuple[int, Counter[str]]:
        return self.supervisor.messages_sent, self.supervisor.wire_faults
