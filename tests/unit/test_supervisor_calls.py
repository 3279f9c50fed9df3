"""Calls: always in the room or on demand, their limits, and ends that are no faults."""

from __future__ import annotations

import signal

import pytest

from ingestd.core import wire
from ingestd.core.lifecycle import State
from ingestd.core.retry import Cause, cause_of
from ingestd.errors import BackendError, BackendFault, ChannelClosed, IngestdError, NotNow
from ingestd.threads.callplan import CallPlan
from ingestd.threads.mailbox import (
    AttemptFailed,
    Connected,
    LinkEnded,
    LinkJoined,
    Request,
    RoomEvent,
    SessionCreated,
    Signalled,
)
from tests.rig.scripted_ports import ScriptedLink
from tests.unit.supervisor_case import SESSION, Case


def in_a_call(case: Case) -> ScriptedLink:
    case.begin()
    assert case.state() is State.STANDBY
    assert case.attempts == []
    assert case.ask(Request.CALL) == "creating"
    return case.connect()


def stays(case: Case, link: ScriptedLink, seconds: int) -> None:
    for _ in range(seconds):
        case.hear(link)
        case.after(1)


ENDS = [ChannelClosed("bye", 1000), ChannelClosed("bye", 1005), ChannelClosed("evicted", 4005)]


@pytest.mark.parametrize("end", ENDS)
def test_with_auto_a_clean_end_is_followed_by_a_return_in_five_seconds_and_ever_more(end: ChannelClosed) -> None:
    case = Case()
    case.streaming()
    waits = []
    for _ in range(6):
        case.post(LinkEnded(case.call.epoch, end))
        waits.append(case.waiting_s())
        case.after(case.waiting_s())
        case.connect()
    assert waits == pytest.approx([6, 12, 24, 48, 72, 72])
    assert all(error is None or cause_of(error) is Cause.ENDED for *_, error in case.reporter.states)


@pytest.mark.parametrize("end", ENDS)
def test_on_demand_a_clean_end_is_the_end(end: ChannelClosed) -> None:
    case = Case(demand=True)
    link = in_a_call(case)
    case.post(LinkEnded(1, end))
    assert case.state() is State.STANDBY
    assert link.closed
    case.after(600)
    assert len(case.attempts) == 1
    assert case.ask(Request.CALL) == "creating"


def test_on_demand_the_meetings_end_is_the_end() -> None:
    case = Case(demand=True)
    link = in_a_call(case)
    case.post(RoomEvent(1, wire.MeetingLeft("over")))
    assert case.state() is State.STANDBY
    assert link.said == ["hang_up"]


def test_on_demand_a_fault_does_not_end_the_call() -> None:
    case = Case(demand=True)
    in_a_call(case)
    case.post(LinkEnded(1, ChannelClosed("cut")))
    assert case.state() is State.WAITING
    case.after(case.waiting_s())
    case.connect()
    assert case.call.since_s is not None
    assert case.call.since_s < case.connections.opened_s, "it is the same call"


@pytest.mark.parametrize("demand", [False, True])
def test_hanging_up_lasts_until_a_call_is_asked_for(demand: bool) -> None:
    case = Case(demand=demand)
    case.begin()
    if demand:
        case.ask(Request.CALL)
    link = case.connect()
    assert str(case.ask(Request.HANG_UP)).startswith("hanging up")
    assert link.said == ["hang_up"]
    case.post(LinkEnded(1, ChannelClosed("bye", 1000)))
    assert case.state() is State.STANDBY
    case.after(600)
    case.network_back()
    assert len(case.attempts) == 1
    assert isinstance(case.ask(Request.RECONNECT), NotNow)
    assert case.ask(Request.CALL) == "creating"


@pytest.mark.parametrize("server", ["closes", "says nothing"])
def test_a_device_that_was_hung_up_says_so_and_not_how_the_connection_ended(server: str) -> None:
    case = Case()
    case.begin()
    case.connect()
    case.ask(Request.HANG_UP)
    if server == "closes":
        case.post(LinkEnded(1, ChannelClosed("the server closed the connection with code 1000", 1000)))
    else:
        case.after(5)
    assert case.state() is State.STANDBY
    assert case.reporter.states[-1] == (State.STANDBY, 1, "hung up on request", None)


@pytest.mark.parametrize("when", ["creating", "connecting", "waiting"])
def test_hanging_up_before_there_is_a_call(when: str) -> None:
    case = Case()
    case.begin()
    if when == "waiting":
        case.post(AttemptFailed(1, BackendError(BackendFault.TRANSIENT, "503")))
    case.ask(Request.HANG_UP)
    assert case.state() is State.STANDBY
    assert case.attempts[0].stopped == (when != "waiting")
    case.after(600)
    assert len(case.attempts) == 1


def test_a_call_ends_at_its_length_over_faults_and_renewals() -> None:
    case = Case(demand=True, max_call_s=60.0)
    link = in_a_call(case)
    stays(case, link, 30)
    case.post(LinkEnded(1, ChannelClosed("cut")))
    case.after(case.waiting_s())
    link = case.connect()
    stays(case, link, 28)
    assert case.state() is State.STREAMING
    stays(case, link, 3)
    assert case.state() is State.STANDBY, "the goodbye has its second"
    assert link.said == ["hang_up"]
    case.ask(Request.CALL)
    stays(case, case.connect(), 30)
    assert case.state() is State.STREAMING, "the next call has all its time"


@pytest.mark.parametrize("demand", [False, True])
@pytest.mark.parametrize("at", ["renewing", "connecting", "overlapping"])
def test_a_call_ends_at_its_length_in_the_midst_of_a_renewal(demand: bool, at: str) -> None:
    case = Case(demand=demand, max_call_s=60.0)
    link = in_a_call(case) if demand else case.streaming()
    stays(case, link, 59)
    case.ask(Request.RECONNECT)
    new = case.new_link()
    if at != "renewing":
        case.post(SessionCreated(2, SESSION))
    if at == "overlapping":
        case.post(Connected(2, new))
    stays(case, link, 3)
    case.users_look()
    assert case.state() is (State.STANDBY if demand else State.WAITING)
    assert case.attempts[1].stopped == (at != "overlapping")
    assert link.closed
    assert case.call.since_s is None
    assert case.link is None


@pytest.mark.parametrize("end", [ChannelClosed("evicted", 4005), ChannelClosed("bye", 1000)])
def test_a_second_that_is_thrown_out_does_not_end_the_count_of_the_call(end: ChannelClosed) -> None:
    case = Case(max_call_s=60.0)
    link = case.streaming()
    began_s = case.call.since_s
    case.ask(Request.RECONNECT)
    case.post(SessionCreated(2, SESSION), Connected(2, case.new_link()), LinkEnded(2, end))
    assert case.state() is State.STREAMING
    assert case.call.since_s == began_s
    stays(case, link, 4)
    assert case.state() is State.STREAMING


def test_a_session_brought_along_is_not_wiped_by_a_plain_call() -> None:
    case = Case()
    case.streaming()
    case.ask(Request.HANG_UP)
    case.ask(Request.CALL, "wss://example.com/?ref=x")
    case.ask(Request.CALL)
    case.after(1.5)
    assert case.attempts[1].given is not None


def test_signals_on_the_way_out_read_no_configuration() -> None:
    case = Case()
    case.streaming()
    case.post(Signalled(signal.SIGTERM), Signalled(signal.SIGHUP))
    case.post(Signalled(signal.SIGTERM), Signalled(signal.SIGHUP))
    assert (case.state(), case.reloads) == (State.STOPPED, 0)


def test_a_device_that_is_alone_hangs_up() -> None:
    case = Case(demand=True, alone_s=20.0)
    link = in_a_call(case)
    case.post(LinkJoined(1), RoomEvent(1, wire.ParticipantJoined(wire.Participant("p", "P", None))))
    stays(case, link, 60)
    assert case.state() is State.STREAMING
    assert case.reporter.room is not None
    assert (case.reporter.room.others, case.reporter.room.alone_s) == (1, None)
    case.post(RoomEvent(1, wire.ParticipantLeft(wire.Participant("p", "P", None))))
    stays(case, link, 19)
    assert case.state() is State.STREAMING
    assert case.reporter.room.text == "joined, nobody else here"
    stays(case, link, 3)
    assert case.state() is State.STANDBY


def test_with_auto_a_limit_is_a_clean_end_like_others() -> None:
    case = Case(max_call_s=60.0)
    link = case.streaming()
    stays(case, link, 61)
    assert case.state() is State.WAITING
    assert case.waiting_s() <= 6


def test_a_brought_session_needs_the_line_to_be_free() -> None:
    case = Case()
    link = case.streaming()
    refused = case.ask(Request.CALL, "wss://example.com/?ref=x")
    assert isinstance(refused, NotNow)
    assert (case.state(), case.link) == (State.STREAMING, link)


@pytest.mark.parametrize("url", ["ws://example.com/?ref=SECRET", "http://example.com", "", "wss://"])
def test_a_brought_session_that_cannot_be_used_is_refused_without_being_shown(url: str) -> None:
    case = Case(demand=True)
    case.begin()
    refused = case.ask(Request.CALL, url)
    assert isinstance(refused, IngestdError)
    assert "SECRET" not in str(refused)
    assert case.state() is State.STANDBY


def test_a_brought_session_that_fails_is_not_tried_twice() -> None:
    case = Case(demand=True)
    case.begin()
    case.ask(Request.CALL, "wss://example.com/?ref=x")
    case.after(2)
    case.network_back()
    assert len(case.attempts) == 1, "nor begun anew"
    case.post(AttemptFailed(1, ChannelClosed("session expired", 1008)))
    assert case.state() is State.STANDBY
    case.ask(Request.CALL)
    assert case.attempts[1].given is None


def test_with_auto_a_brought_session_that_fails_is_followed_by_one_of_our_own() -> None:
    case = Case()
    case.begin()
    case.ask(Request.HANG_UP)
    case.ask(Request.CALL, "wss://example.com/?ref=x")
    case.post(AttemptFailed(2, ChannelClosed("cut")))
    case.after(case.waiting_s())
    assert case.attempts[2].given is None


def test_what_is_asked_for_on_the_way_out_is_refused() -> None:
    case = Case()
    case.streaming()
    case.supervisor._stop("bye")
    for request in Request:
        assert isinstance(case.ask(request), NotNow)


def test_the_configuration_read_anew_may_want_the_device_in_the_room() -> None:
    case = Case(demand=True)
    case.begin()
    case.call.follow(CallPlan(case._new_attempt, demand=False))
    assert case.state() is State.CREATING
    assert case.ask(Request.RELOAD) == "read anew"


def test_a_bug_met_by_a_request_is_told_and_ends_nothing() -> None:
    case = Case()
    case.streaming()
    case.reload_error = KeyError("x")
    answer = case.ask(Request.RELOAD)
    assert isinstance(answer, NotNow)
    case.post(Signalled(signal.SIGHUP))
    assert case.state() is State.STREAMING
    assert case.reporter.bugs == ["reload failed by KeyError", "a reload failed by KeyError"]


@pytest.mark.parametrize("demand", [False, True])
@pytest.mark.parametrize("how", ["hangup", "replace", "stop"])
def test_a_limit_that_comes_due_during_a_goodbye_changes_nothing(demand: bool, how: str) -> None:
    case = Case(demand=demand, break_first=True, max_call_s=10.0)
    link = in_a_call(case) if demand else case.streaming()
    stays(case, link, 9)
    case.after(0.9)
    if how == "hangup":
        case.ask(Request.HANG_UP)
    elif how == "replace":
        case.ask(Request.RECONNECT)
    else:
        case.post(Signalled(signal.SIGTERM))
    case.after(0.9)
    case.hear(link)
    assert case.state() is {"hangup": State.HANGING_UP, "replace": State.REPLACING, "stop": State.STOPPING}[how]
    case.after(0.2)
    expected = {"hangup": State.STANDBY, "replace": State.CREATING, "stop": State.STOPPED}
    assert case.state() is expected[how]


def test_a_call_asked_for_during_the_goodbye_is_another_one() -> None:
    case = Case(demand=True, max_call_s=20.0)
    link = in_a_call(case)
    stays(case, link, 15)
    case.ask(Request.HANG_UP)
    case.ask(Request.CALL)
    case.post(LinkEnded(1, ChannelClosed("bye", 1000)))
    stays(case, case.connect(), 15)
    assert case.state() is State.STREAMING
