"""The supervisor and the network: what its events hasten, what is asked for is kept, and dead links are given up."""

from __future__ import annotations

import sys
import threading
from collections import Counter

import pytest

from ingestd.core import wire
from ingestd.core.lifecycle import State
from ingestd.core.times import DEFAULT
from ingestd.errors import (
    BackendError,
    BackendFault,
    ChannelClosed,
    ChannelError,
    ProxyRefused,
    RemoteProtocolError,
    UpgradeRefused,
)
from ingestd.threads.mailbox import AttemptFailed, Connected, LinkEnded, RoomEvent, SessionCreated
from tests.unit.supervisor_case import SESSION, Case

UNREACHABLE = BackendError(BackendFault.UNREACHABLE, "can't reach the backend")
LEFT = wire.MeetingLeft("MEETING_ENDED")


@pytest.fixture
def case() -> Case:
    return Case()


def fail(case: Case, error: Exception) -> None:
    """The present attempt fails, after many that did: the backoff is at its ceiling."""
    if not case.attempts:
        case.begin()
    case.many_failures()
    case.post(AttemptFailed(case.call.epoch, error))
    assert case.waiting_s() > 57


# --- Retry-After and hurry ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [UNREACHABLE, ChannelError("can't connect")])
def test_the_networks_return_ends_the_wait_for_it(case: Case, error: Exception) -> None:
    fail(case, error)
    case.network_back()
    assert case.waiting_s() == pytest.approx(0.5), "but for some jitter"
    case.after(0.5)
    assert case.state() is State.CREATING


def test_a_lost_link_is_the_networks_failure(case: Case) -> None:
    case.streaming()
    case.many_failures()
    case.post(LinkEnded(1, ChannelClosed("cut")))
    case.network_back()
    assert case.waiting_s() == pytest.approx(0.5)


def test_an_attempt_that_took_too_long_is_the_networks_failure(case: Case) -> None:
    case.begin()
    case.many_failures()
    case.after(30)
    case.network_back()
    assert case.waiting_s() == pytest.approx(0.5)


@pytest.mark.parametrize("fault", sorted(set(BackendFault) - {BackendFault.UNREACHABLE, BackendFault.TLS}, key=str))
def test_a_servers_answer_is_not_hastened_by_the_network(case: Case, fault: BackendFault) -> None:
    fail(case, UNREACHABLE)
    case.after(case.waiting_s())
    fail(case, BackendError(fault, "no"))
    case.network_back()
    assert case.waiting_s() >= 57


def test_a_bug_is_not_hastened_by_the_network(case: Case) -> None:
    fail(case, KeyError("x"))
    case.network_back()
    assert case.waiting_s() == pytest.approx(58)


@pytest.mark.parametrize("fault", [BackendFault.RATE_LIMITED, BackendFault.UNREACHABLE])
def test_retry_after_is_kept_and_the_backoff_comes_on_top(case: Case, fault: BackendFault) -> None:
    case.begin()
    case.post(AttemptFailed(1, BackendError(fault, "slow down", 120.0)))
    assert case.waiting_s() == pytest.approx(180.5), "half as much again at most, and the backoff"
    case.network_back()
    assert 120 <= case.waiting_s() <= 180.5
    case.after(119.9)
    assert len(case.attempts) == 1
    case.after(case.waiting_s())
    assert len(case.attempts) == 2
    case.post(AttemptFailed(2, UNREACHABLE))
    assert case.waiting_s() == pytest.approx(1.0), "it was for once"


def test_a_sooner_attempt_is_not_put_off_by_an_event(case: Case) -> None:
    case.begin()
    case.post(AttemptFailed(1, UNREACHABLE))
    case.after(0.4)
    case.network_back()
    assert case.waiting_s() == pytest.approx(0.1)


def test_chatter_makes_an_attempt_every_five_seconds_in_the_long_run(case: Case) -> None:
    fail(case, UNREACHABLE)
    began = []
    for _ in range(600):
        case.network_back()
        case.after(0.1)
        if case.state() is State.CREATING:
            began.append(case.now)
            fail(case, UNREACHABLE)
    assert 10 <= len(began) <= 15
    assert all(began[number + 3] - began[number] >= 14.8 for number in range(len(began) - 3))


def test_link_address_and_route_may_come_one_after_the_other(case: Case) -> None:
    """What begins with the link fails at once, as there is no route yet."""
    fail(case, UNREACHABLE)
    for _ in range(3):
        case.network_back()
        assert case.waiting_s() <= 0.5
        case.after(0.6)
        fail(case, UNREACHABLE)
        case.after(0.9)


def test_a_network_that_came_while_an_attempt_was_young_counts_once_it_failed(case: Case) -> None:
    fail(case, UNREACHABLE)
    case.network_back()
    case.after(0.6)
    assert case.state() is State.CREATING
    case.network_back()
    assert case.state() is State.CREATING, "too young to be begun anew"
    case.many_failures()
    case.post(AttemptFailed(case.call.epoch, UNREACHABLE))
    assert case.waiting_s() <= 0.5
    case.after(0.6)
    case.post(AttemptFailed(case.call.epoch, UNREACHABLE))
    assert case.waiting_s() > 57, "but once"


ANSWERS = [UpgradeRefused("503", 503), ChannelClosed("later", 1013), RemoteProtocolError("x"), ProxyRefused("x", 403)]


@pytest.mark.parametrize("error", ANSWERS)
def test_the_rooms_servers_answers_are_not_hastened_either(case: Case, error: ChannelError) -> None:
    fail(case, UNREACHABLE)
    case.after(case.waiting_s())
    case.many_failures()
    case.post(AttemptFailed(case.call.epoch, error))
    before_s = case.waiting_s()
    case.network_back()
    assert case.waiting_s() == before_s


def test_the_last_event_of_a_burst_counts(case: Case) -> None:
    """The link comes first, the address some seconds later: the attempt between the two can't succeed."""
    fail(case, UNREACHABLE)
    case.network_back()
    case.after(0.6)
    fail(case, UNREACHABLE)
    case.after(2)
    case.network_back()
    assert case.waiting_s() <= 5, "and not the backoff's minute"


# --- attempts that began before the network came ---------------------------------------------------------------------


@pytest.mark.parametrize("connecting", [False, True])
def test_an_old_attempt_is_begun_anew_and_a_young_one_is_not(case: Case, connecting: bool) -> None:
    case.begin()
    if connecting:
        case.post(SessionCreated(1, SESSION))
    case.after(1.0)
    case.network_back()
    assert case.call.epoch == 1
    case.after(0.1)
    case.network_back()
    assert case.attempts[0].stopped
    assert case.waiting_s() == pytest.approx(0.5), "but for some jitter, as for all that waited"
    case.after(0.5)
    assert (case.call.epoch, case.state()) == (2, State.CREATING)
    assert case.attempts[1].started
    assert not case.attempts[1].stopped
    case.after(29.9)
    assert case.state() is State.CREATING, "the new one has all its time"
    case.after(0.1)
    assert case.state() is State.WAITING


def test_chatter_does_not_keep_every_attempt_from_ending(case: Case) -> None:
    """A backend that takes eight seconds, and an interface that comes and goes every two."""
    case.begin()
    for _ in range(16):
        case.after(2)
        case.network_back()
    assert case.call.epoch == 4, "three times begun anew, and the last one runs on"
    assert case.state() is State.CREATING
    case.connect()


# --- dead links ------------------------------------------------------------------------------------------------------


def test_a_link_that_takes_nothing_is_given_up_after_three_and_a_half_seconds(case: Case) -> None:
    link = case.streaming()
    case.users_look()
    case.held_since_s = case.now
    case.after(3.4)
    assert (case.state(), link.said) == (State.STREAMING, [])
    case.after(1.2)
    assert case.state() is not State.STREAMING
    assert link.said == ["abort"]
    assert case.reporter.states[-1][3] or case.reporter.states[-2][3]
    case.users_look()
    assert link.closed


def test_a_link_that_takes_again_is_kept(case: Case) -> None:
    link = case.streaming()
    for _ in range(5):
        case.held_since_s = case.now
        case.after(3.4)
        case.held_since_s = None
        case.hear(link)
        case.after(2)
    assert (case.state(), link.said, case.link) == (State.STREAMING, [], link)


def test_the_networks_return_gives_up_a_link_that_took_nothing_for_a_second(case: Case) -> None:
    link = case.streaming()
    case.held_since_s = case.now
    case.after(1.0)
    case.network_back()
    assert case.state() is State.STREAMING
    case.after(0.1)
    case.network_back()
    assert case.state() is State.WAITING
    assert link.said == ["abort"]


def test_the_networks_return_leaves_a_good_link_alone(case: Case) -> None:
    link = case.streaming()
    case.after(5)
    case.network_back()
    assert (case.state(), link.said) == (State.STREAMING, [])


def test_a_link_whose_peer_answered_pings_and_does_no_more_is_given_up(case: Case) -> None:
    link = case.streaming()
    first = link.liveness.ping(case.now)
    assert first is not None
    link.liveness.pong(first, case.now)
    case.after(3)
    assert link.liveness.ping(case.now) is not None
    case.after(DEFAULT.pong_within_s)
    assert link.said == []
    case.after(1.1)
    assert link.said == ["abort"]
    assert any("ping" in reason and fault for _, _, reason, fault in case.reporter.states)


def test_a_process_that_was_stopped_reads_what_came_before_it_judges(case: Case) -> None:
    link = case.streaming()
    first = link.liveness.ping(case.now)
    assert first is not None
    link.liveness.pong(first, case.now)
    case.after(3)
    second = link.liveness.ping(case.now)
    assert second is not None
    case.now += 60.0
    case.supervisor.step()
    assert case.state() is State.STREAMING
    link.liveness.pong(second, case.now)
    case.hear(link)
    case.after(2)
    assert (case.state(), link.said) == (State.STREAMING, [])


def test_a_silent_peer_is_given_up(case: Case) -> None:
    link = case.streaming()
    case.after(DEFAULT.silent_for_s)
    assert link.said == []
    case.after(1.1)
    assert link.said == ["abort"]
    assert any("nothing received" in reason for _, _, reason, _ in case.reporter.states)


# --- the meeting's end ---------------------------------------------------------------------------------------------


def test_the_meetings_end_hangs_up_and_a_fresh_session_comes_after_five_seconds(case: Case) -> None:
    link = case.streaming()
    case.users_look()
    case.post(RoomEvent(1, LEFT))
    assert link.said == ["hang_up"]
    case.users_look()
    assert link.closed
    assert case.reporter.events == [LEFT]
    assert case.waiting_s() == pytest.approx(6.0), "five and some jitter"
    case.network_back()
    assert case.waiting_s() == pytest.approx(6.0)
    case.after(5.9)
    assert case.state() is State.WAITING
    case.after(0.2)
    assert (case.state(), case.call.epoch) == (State.CREATING, 2)


def test_the_meetings_end_said_twice_is_one(case: Case) -> None:
    link = case.streaming()
    case.post(RoomEvent(1, LEFT), RoomEvent(1, LEFT), LinkEnded(1, ChannelClosed("bye", 1000)))
    assert link.said == ["hang_up"]
    assert case.waits == 1


# --- counters that others still write ---------------------------------------------------------------------------------


def test_a_link_that_still_counts_faults_can_be_released(case: Case) -> None:
    """The sender saw the end, the receiver is still reading what came before it."""
    interval = sys.getswitchinterval()
    stop = threading.Event()
    link = case.streaming()

    def count() -> None:
        number = 0
        while not stop.is_set():
            link.wire_faults[f"fault {number % 5000}"] += 1
            number += 1
            if number % 5000 == 0:
                link.wire_faults = Counter()

    receiver = threading.Thread(target=count)
    sys.setswitchinterval(1e-6)
    try:
        receiver.start()
        for _ in range(300):
            case.post(LinkEnded(link.epoch, ChannelClosed("cut")))
            case.connections._wire_faults = Counter()
            case.after(case.waiting_s())
            fresh = case.new_link()
            faults = link.wire_faults
            case.post(SessionCreated(fresh.epoch, SESSION))
            fresh.wire_faults = faults
            link = fresh
            case.post(Connected(fresh.epoch, fresh))
    finally:
        stop.set()
        receiver.join()
        sys.setswitchinterval(interval)
    assert case.state() is State.STREAMING
