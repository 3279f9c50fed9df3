"""The supervisor under arbitrary orders of events: never a dead end, never two calls, nothing left behind."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ingestd.core import wire
from ingestd.core.lifecycle import ATTEMPTING, IN_THE_ROOM, State
from ingestd.errors import (
    BackendError,
    BackendFault,
    CertificateError,
    ChannelClosed,
    ChannelError,
    UpgradeRefused,
)
from ingestd.net.network_watch import Events
from ingestd.threads.mailbox import (
    AttemptFailed,
    Connected,
    LinkEnded,
    LinkJoined,
    LinkReady,
    Request,
    RoomEvent,
    SessionCreated,
)
from tests.rig.scripted_ports import ScriptedLink
from tests.unit.supervisor_case import SESSION, Case

ERRORS = [
    *(BackendError(fault, "no") for fault in BackendFault),
    BackendError(BackendFault.RATE_LIMITED, "slow down", 7.0),
    *(ChannelClosed("closed", code) for code in (None, 1000, 1001, 1005, 1006, 1008, 1011, 1012, 1013, 4001)),
    CertificateError("expired"),
    UpgradeRefused("503", 503, 2.0),
    UpgradeRefused("404", 404),
    ChannelError("can't connect"),
    KeyError("a bug"),
]
EVENTS = [
    wire.MeetingLeft("over"),
    wire.Message("T", "x", None, None, None, "1"),
    wire.ParticipantJoined(wire.Participant("p", None, None)),
    wire.ParticipantLeft(wire.Participant("p", None, None)),
]
BACK = st.integers(0, 2)
"""How many epochs old the word is."""


class Life(RuleBasedStateMachine):
    """Whatever attempts, links, network, people and the clock may do, in any order, dead epochs included."""

    def __init__(self) -> None:
        super().__init__()
        self.case = Case()
        self.links: list[ScriptedLink] = []
        self.room_opened: set[int] = set()

    @initialize(demand=st.booleans(), break_first=st.booleans(), max_age_s=st.sampled_from([None, 30.0]))
    def begin(self, demand: bool, break_first: bool, max_age_s: float | None) -> None:
        self.case = Case(demand=demand, break_first=break_first, max_age_s=max_age_s, alone_s=60.0)
        self.case.begin()

    def _epoch(self, back: int) -> int:
        return self.case.call.epoch - back

    @rule(back=BACK)
    def session_created(self, back: int) -> None:
        self.case.post(SessionCreated(self._epoch(back), SESSION))

    @rule(back=BACK)
    def connected(self, back: int) -> None:
        link = self.case.new_link(self._epoch(back))
        self.links.append(link)
        self.case.post(Connected(link.epoch, link))

    @rule(back=BACK, error=st.sampled_from(ERRORS))
    def attempt_failed(self, back: int, error: Exception) -> None:
        self.case.post(AttemptFailed(self._epoch(back), error))

    @rule(back=BACK, error=st.sampled_from([error for error in ERRORS if isinstance(error, ChannelError)]))
    def link_ended(self, back: int, error: ChannelError) -> None:
        self.case.post(LinkEnded(self._epoch(back), error))

    @rule(back=BACK)
    def joined(self, back: int) -> None:
        self.case.post(LinkJoined(self._epoch(back)))

    @rule(back=BACK)
    def ready(self, back: int) -> None:
        self.case.post(LinkReady(self._epoch(back)))

    @rule(back=BACK, event=st.sampled_from(EVENTS))
    def room_event(self, back: int, event: wire.Event) -> None:
        self.case.post(RoomEvent(self._epoch(back), event))

    @rule(request=st.sampled_from(list(Request)), ws_url=st.sampled_from([None, None, "wss://example.com/?ref=x"]))
    def asked(self, request: Request, ws_url: str | None) -> None:
        self.case.ask(request, ws_url)

    @rule(back=st.booleans(), rerouted=st.booleans())
    def network(self, back: bool, rerouted: bool) -> None:
        if isinstance(link := self.case.link, ScriptedLink):
            link.rerouted = rerouted
        self.case.network.events = Events(back, changed=True)
        self.case.supervisor.step()

    @rule()
    def new_token(self) -> None:
        self.case.token.is_new = True

    @rule()
    def clock_is_set(self) -> None:
        self.case.wall_ahead_s += 1e6

    @rule(held=st.booleans())
    def held(self, held: bool) -> None:
        self.case.held_since_s = self.case.now if held else None

    @rule(seconds=st.sampled_from([0.05, 0.6, 1.5, 6.0, 40.0]))
    def time_passes(self, seconds: float) -> None:
        self.case.after(seconds)

    @rule()
    def users_look(self) -> None:
        self.case.users_look()

    # --- what always holds ------------------------------------------------------------------------------------------

    @invariant()
    def something_will_happen(self) -> None:
        call = self.case.call
        idle = (State.IDLE, State.STANDBY, State.STOPPED)
        assert call.timer_s is not None or call.connections.carrying is not None or call.state in idle
        if call.timer_s is not None:
            assert call.timer_s - self.case.now <= 3600.0

    @invariant()
    def a_call_has_a_beginning(self) -> None:
        if self.case.call.state in IN_THE_ROOM:
            assert self.case.call.since_s is not None

    @invariant()
    def links_are_as_the_state_says(self) -> None:
        state, connections = self.case.call.state, self.case.connections
        leaving = (State.HANGING_UP, State.REPLACING, State.STOPPING)
        assert (connections.carrying is not None) == (state in IN_THE_ROOM or state in leaving)
        assert (connections.second is not None) == (state is State.OVERLAPPING)

    @invariant()
    def one_attempt_at_a_time(self) -> None:
        epoch = self.case.call.epoch
        running = [attempt for attempt in self.case.attempts if attempt.epoch == epoch and not attempt.stopped]
        assert len(running) <= 1
        if self.case.call.state in ATTEMPTING:
            assert running

    @invariant()
    def at_most_two_links_are_open_and_no_user_is_lost(self) -> None:
        assert all(link.users >= 0 for link in self.links)
        used = [link for slot in self.case.slots for link in slot.using]
        ours = self.case.connections._present()
        assert all(link in ours or link in used for link in self.links if link.users > 0), "nobody's link is open"
        assert len(ours) <= 2

    @precondition(lambda self: self.case.call.state not in (State.IDLE, State.STOPPED))
    @rule()
    def the_room_is_reached_when_all_works(self) -> None:
        """No dead end: from here on whatever is tried succeeds."""
        case = self.case
        case.held_since_s = None
        if case.state() is State.STANDBY:
            case.ask(Request.CALL)
        for _ in range(400):
            match case.state():
                case State.STREAMING:
                    return
                case State.STANDBY:  # it was hanging up
                    case.ask(Request.CALL)
                case state if state in ATTEMPTING:
                    self.session_created(0)
                    self.connected(0)
                case State.OVERLAPPING:
                    self.ready(0)
                case _:
                    case.after(1.0)
        raise AssertionError(case.state())

    def teardown(self) -> None:
        """After the stop nothing is left."""
        self.case.supervisor._stop("bye")
        self.case.after(5.0)
        self.case.users_look()
        assert self.case.state() in (State.STOPPED, State.IDLE)
        assert [link for link in self.links if not link.closed] == []
        assert self.case.reporter.bugs == ["an attempt failed by KeyError"] * len(self.case.reporter.bugs)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
