"""Renewals: a second session that streams before the first stops, or after it where two at once must not be."""

from __future__ import annotations

import pytest

from ingestd.core import wire
from ingestd.core.lifecycle import State
from ingestd.core.retry import Cause, cause_of
from ingestd.core.times import DEFAULT
from ingestd.errors import BackendError, BackendFault, ChannelClosed, NotNow
from ingestd.net.network_watch import Events
from ingestd.threads.mailbox import (
    AttemptFailed,
    Connected,
    LinkEnded,
    LinkReady,
    Request,
    RoomEvent,
    SessionCreated,
)
from tests.rig.scripted_ports import ScriptedLink
from tests.unit.supervisor_case import SESSION, Case


@pytest.fixture
def case() -> Case:
    return Case()


def second(case: Case) -> ScriptedLink:
    """The renewal's connection is open, and has not joined."""
    link = case.new_link()
    case.post(SessionCreated(link.epoch, SESSION), Connected(link.epoch, link))
    assert case.state() is State.OVERLAPPING
    return link


def offered(case: Case) -> tuple[object, object]:
    """What the sender goes by; the receiver follows a little later."""
    case.slots[1].current()
    return case.slots[0].current()


def faults(case: Case) -> list[Exception]:
    return [error for *_, error in case.reporter.states if error is not None and cause_of(error) is not Cause.ENDED]


def test_a_renewal_hands_over_once_the_second_has_joined(case: Case) -> None:
    first = case.streaming()
    assert case.ask(Request.RECONNECT) == "renewing"
    assert offered(case) == (first, None)
    new = second(case)
    assert offered(case) == (first, new)
    case.post(LinkReady(2))
    assert case.state() is State.STREAMING
    assert offered(case) == (new, first)
    assert first.said == ["hang_up"]
    case.post(LinkEnded(1, ChannelClosed("bye", 1000)))
    assert offered(case) == (new, None)
    assert first.closed
    assert (new.said, new.closed) == ([], False)
    assert faults(case) == []
    assert case.connections.count == 2


@pytest.mark.parametrize("answers", [False, True])
def test_the_room_is_heard_by_the_first_until_that_has_left(case: Case, answers: bool) -> None:
    """The second still brings what the device said by the first."""
    first = case.streaming()
    case.ask(Request.RECONNECT)
    new = second(case)
    case.post(LinkReady(2))
    assert case.slots[0].current() == (new, first)
    assert case.slots[1].current() == (first, new)
    if answers:
        case.post(LinkEnded(1, ChannelClosed("bye", 1000)))
        assert case.slots[1].current() == (new, None)
    else:
        case.after(0.2)
        assert case.slots[1].current() == (new, first)


def test_the_word_of_joining_is_not_waited_for_for_ever(case: Case) -> None:
    first = case.streaming()
    case.ask(Request.RECONNECT)
    new = second(case)
    case.hear(new)
    case.after(DEFAULT.overlap_s - 0.1)
    assert offered(case) == (first, new)
    case.after(0.1)
    assert offered(case) == (new, first)


def test_a_second_that_brings_nothing_does_not_take_over(case: Case) -> None:
    first = case.streaming()
    case.ask(Request.RECONNECT)
    new = second(case)
    case.after(DEFAULT.overlap_s)
    assert (case.state(), case.link) == (State.STREAMING, first)
    assert new.said == ["hang_up"]
    assert len(faults(case)) == 1


def test_a_renewal_that_keeps_failing_is_tried_ever_more_seldom(case: Case) -> None:
    link = case.streaming()
    for _ in range(20):
        case.hear(link)
        case.after(1)
    case.ask(Request.RECONNECT)
    for _ in range(600):
        if case.state() is State.RENEWING:
            case.post(AttemptFailed(case.call.epoch, BackendError(BackendFault.TRANSIENT, "503")))
        case.hear(link)
        case.after(1)
    assert case.link is link
    assert 8 <= len(case.attempts) <= 20, "as many as out of the room"


def test_a_goodbye_that_nobody_answers_has_an_end(case: Case) -> None:
    first = case.streaming()
    case.ask(Request.RECONNECT)
    new = second(case)
    case.post(LinkReady(2))
    assert offered(case) == (new, first)
    case.after(DEFAULT.goodbye_s + 1)
    assert offered(case) == (new, None)
    assert first.closed


@pytest.mark.parametrize("error", [ChannelClosed("evicted", 4005), ChannelClosed("bye", 1000), ChannelClosed("cut")])
@pytest.mark.parametrize("demand", [False, True])
def test_a_first_that_ends_because_the_second_came_is_no_fault(error: ChannelClosed, demand: bool) -> None:
    case = Case(demand=demand)
    case.begin()
    if demand:
        case.ask(Request.CALL)
    first = case.connect()
    case.ask(Request.RECONNECT)
    new = second(case)
    case.post(LinkEnded(1, error))
    assert (case.state(), case.link) == (State.STREAMING, new)
    assert offered(case) == (new, None)
    assert (first.closed, faults(case)) == (True, [])


def test_a_meeting_left_of_the_first_while_both_are_there_is_no_fault_either(case: Case) -> None:
    case.streaming()
    case.ask(Request.RECONNECT)
    new = second(case)
    case.post(RoomEvent(1, wire.MeetingLeft("evicted")))
    assert (case.state(), case.link) == (State.STREAMING, new)
    assert faults(case) == []


def test_a_first_that_ends_before_the_second_is_there_leaves_the_attempt_at_it(case: Case) -> None:
    case.streaming()
    case.ask(Request.RECONNECT)
    case.post(LinkEnded(1, ChannelClosed("cut")))
    assert (case.state(), len(case.attempts), case.link) == (State.CREATING, 2, None)
    case.post(SessionCreated(2, SESSION))
    new = case.new_link()
    case.post(Connected(2, new))
    assert (case.state(), case.link) == (State.STREAMING, new)


def test_a_renewal_that_fails_is_tried_again_and_the_first_streams_on(case: Case) -> None:
    first = case.streaming()
    case.ask(Request.RECONNECT)
    case.post(AttemptFailed(2, BackendError(BackendFault.UNAUTHORIZED, "no")))
    assert (case.state(), case.link, first.said) == (State.STREAMING, first, [])
    assert len(faults(case)) == 1
    for _ in range(30):
        case.hear(first)
        case.after(1)
    assert len(case.attempts) == 2, "slowly: a person's job"
    for _ in range(31):
        case.hear(first)
        case.after(1)
    assert (len(case.attempts), case.state()) == (3, State.RENEWING)
    new = second(case)
    case.post(LinkReady(3))
    assert case.link is new


def test_a_second_that_ends_before_it_took_over_is_a_failed_renewal(case: Case) -> None:
    first = case.streaming()
    case.ask(Request.RECONNECT)
    new = second(case)
    case.post(LinkEnded(2, ChannelClosed("session expired", 1008)))
    assert [state for state, *_ in case.reporter.states[-2:]] == [State.STREAMING, State.RENEWING], "anew at once"
    assert offered(case) == (first, None)
    assert new.closed


def test_an_agent_is_never_attached_twice() -> None:
    case = Case(break_first=True)
    first = case.streaming()
    case.ask(Request.RECONNECT)
    assert (case.state(), first.said, len(case.attempts)) == (State.REPLACING, ["hang_up"], 1)
    case.post(LinkEnded(1, ChannelClosed("bye", 1000)))
    assert (case.state(), len(case.attempts)) == (State.CREATING, 2)
    assert faults(case) == []


def test_a_session_is_renewed_at_its_age() -> None:
    case = Case(max_age_s=60.0)
    link = case.streaming()
    for _ in range(59):
        case.hear(link)
        case.after(1)
    assert case.state() is State.STREAMING
    case.after(2)
    assert case.state() is State.RENEWING
    new = second(case)
    case.post(LinkReady(2))
    case.hear(new)
    case.after(50)
    assert case.state() is State.STREAMING, "counted from its own beginning"


def test_a_new_token_is_taken_in_a_devices_own_time(case: Case) -> None:
    link = case.streaming()
    case.token.is_new = True
    for _ in range(30):
        case.hear(link)
        case.after(1)
    assert case.state() is State.STREAMING, "all devices of a fleet may see it at once"
    case.after(2)
    assert case.state() is State.RENEWING
    assert case.reporter.states[-1][2] == "there is a new token"


def test_a_new_token_is_taken_at_once_where_a_renewal_failed_for_want_of_it(case: Case) -> None:
    case.streaming()
    case.ask(Request.RECONNECT)
    case.post(AttemptFailed(2, BackendError(BackendFault.UNAUTHORIZED, "no")))
    case.token.is_new = True
    case.after(1)
    assert case.state() is State.RENEWING


def test_a_new_token_ends_the_wait_for_one(case: Case) -> None:
    case.begin()
    case.post(AttemptFailed(1, BackendError(BackendFault.UNAUTHORIZED, "no")))
    assert case.waiting_s() >= 30
    case.token.is_new = True
    case.after(1)
    assert case.state() is State.CREATING


def test_a_new_token_does_not_cut_short_what_the_backend_asked_for(case: Case) -> None:
    case.begin()
    case.post(AttemptFailed(1, BackendError(BackendFault.RATE_LIMITED, "slow down", 60.0)))
    case.token.is_new = True
    case.after(59)
    assert case.state() is State.WAITING


def test_a_clock_that_is_set_ends_a_wait_with_some_jitter(case: Case) -> None:
    case.begin()
    case.post(AttemptFailed(1, BackendError(BackendFault.TLS, "not yet valid")))
    case.after(2)
    case.wall_ahead_s += 1e8
    case.after(1)
    assert case.waiting_s() == pytest.approx(0.5)


@pytest.mark.parametrize("another", [False, True])
def test_another_way_to_the_server_means_another_session(case: Case, another: bool) -> None:
    link = case.streaming()
    link.rerouted = another
    case.network.events = Events(came_back=False, changed=True)
    case.supervisor.step()
    case.after(DEFAULT.settle_s - 0.1)
    assert case.state() is State.STREAMING, "routes come in several steps"
    case.after(0.1)
    assert case.state() is (State.RENEWING if another else State.STREAMING)


def test_chatter_does_not_put_off_the_look_at_the_route(case: Case) -> None:
    link = case.streaming()
    link.rerouted = True
    for _ in range(4):
        case.network.events = Events(came_back=False, changed=True)
        case.supervisor.step()
        case.after(0.2)
    assert case.state() is State.RENEWING


def test_a_route_that_changed_during_a_renewal_is_looked_at_after_it(case: Case) -> None:
    case.streaming()
    case.ask(Request.RECONNECT)
    case.network.events = Events(came_back=False, changed=True)
    case.supervisor.step()
    new = second(case)
    new.rerouted = True
    case.post(LinkReady(2))
    case.after(DEFAULT.settle_s)
    assert (case.state(), len(case.attempts)) == (State.RENEWING, 3)


def test_both_connections_bring_a_message_and_it_counts_once(case: Case) -> None:
    case.streaming()
    case.ask(Request.RECONNECT)
    second(case)
    message = wire.Message("T", "x", None, None, None, "id-1")
    other = wire.Message("T", "y", None, None, None, "id-2")
    case.post(RoomEvent(1, message), RoomEvent(2, message), RoomEvent(2, other))
    case.post(LinkReady(2), RoomEvent(1, wire.Message("T", "late", None, None, None, "id-3")))
    nameless = wire.Message("T", "no id", None, None, None, None)
    case.post(RoomEvent(1, nameless), RoomEvent(2, nameless))
    heard = [event.text for event in case.reporter.events if isinstance(event, wire.Message)]
    assert heard == ["x", "y", "late", "no id"], "the first may bring what the second was not told"
    dead = wire.Message("T", "dead", None, None, None, "id-4")
    case.post(LinkEnded(1, ChannelClosed("bye", 1000)), RoomEvent(1, dead))
    assert len([event for event in case.reporter.events if isinstance(event, wire.Message)]) == 4


def test_a_session_that_was_brought_along_is_used_once_and_not_renewed() -> None:
    case = Case(demand=True, max_age_s=5.0)
    case.begin()
    case.ask(Request.CALL, "wss://example.com/?ref=theirs")
    given = case.attempts[0].given
    assert given is not None
    assert given.ws_url.endswith("theirs")
    link = case.connect()
    assert isinstance(case.ask(Request.RECONNECT), NotNow)
    for _ in range(10):
        case.hear(link)
        case.after(1)
    assert case.state() is State.STREAMING
    case.post(LinkEnded(1, ChannelClosed("cut")))
    assert case.state() is State.STANDBY, "nobody here can make another"


def test_a_route_that_flaps_renews_ever_more_seldom(case: Case) -> None:
    link = case.streaming()
    for _ in range(300):
        case.network.events = Events(came_back=False, changed=True)
        case.supervisor.step()
        link.rerouted = True
        case.hear(link)
        case.after(1)
        if case.state() is State.RENEWING:
            link = second(case)
            case.post(LinkReady(link.epoch))
    assert 4 <= case.connections.count <= 8


def test_a_route_that_flaps_for_hours_does_not_begin_anew() -> None:
    case = Case()
    link = case.streaming()
    for _ in range(4000):
        case.now += 0.003  # nothing comes at the very moment
        case.network.events = Events(came_back=False, changed=True)
        case.supervisor.step()
        link.rerouted = True
        case.hear(link)
        case.after(1)
        if case.state() is State.RENEWING:
            link = second(case)
            case.post(LinkReady(link.epoch))
    assert case.connections.count <= 8 + 4000 / 290


def test_another_route_does_not_cut_short_what_the_backend_asked_for(case: Case) -> None:
    link = case.streaming()
    case.ask(Request.RECONNECT)
    case.post(AttemptFailed(2, BackendError(BackendFault.RATE_LIMITED, "slow down", 60.0)))
    link.rerouted = case.token.is_new = True
    case.network.events = Events(came_back=False, changed=True)
    case.supervisor.step()
    for _ in range(58):
        case.hear(link)
        case.after(1)
    assert (case.state(), len(case.attempts)) == (State.STREAMING, 2)


def test_a_program_that_asks_all_the_time_gets_a_session_a_second(case: Case) -> None:
    link = case.streaming()
    for _ in range(300):
        case.ask(Request.RECONNECT)
        if case.state() is State.RENEWING:
            case.post(SessionCreated(case.call.epoch, SESSION))
        case.hear(link)
        case.after(0.01)
    assert len(case.attempts) - 1 in (3, 4)


def test_totals_hold_over_a_renewal(case: Case) -> None:
    first = case.streaming()
    first.wire_faults["oversize"] = 3
    case.ask(Request.RECONNECT)
    new = second(case)
    new.wire_faults["oversize"] = 1
    assert case.totals()["oversize"] == 4
    case.post(LinkReady(2))
    first.wire_faults["oversize"] = 5
    assert case.totals()["oversize"] == 6, "it still says something"
    case.post(LinkEnded(1, ChannelClosed("bye", 1000)))
    assert case.totals()["oversize"] == 6
