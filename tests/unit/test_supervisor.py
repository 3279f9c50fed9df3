"""The supervisor: whose word counts, how long is waited, and when a link or an attempt is given up."""

from __future__ import annotations

import signal
from collections import Counter

import pytest

from ingestd.core import wire
from ingestd.core.lifecycle import State
from ingestd.errors import BackendError, BackendFault, ChannelClosed, ChannelError, IngestdError
from ingestd.threads.mailbox import (
    AttemptFailed,
    Connected,
    DeviceChanged,
    LinkEnded,
    RoomEvent,
    SessionCreated,
    Signalled,
    WorkerDied,
)
from tests.unit.supervisor_case import OWN_ID, SESSION, Case

TERM = Signalled(signal.SIGTERM)


@pytest.fixture
def case() -> Case:
    return Case()


def test_the_way_into_the_room(case: Case) -> None:
    case.begin()
    assert case.attempts[0].started
    link = case.new_link()
    case.post(SessionCreated(1, SESSION))
    assert case.state() is State.CONNECTING
    case.post(Connected(1, link))
    assert [state for state, *_ in case.reporter.states] == [State.CREATING, State.CONNECTING, State.STREAMING]
    assert case.link is link
    assert [slot.current() for slot in case.slots] == [(link, None), (link, None)]
    assert (case.connections.count, case.call.epoch, link.users) == (1, 1, 3)


# --- late word ----------------------------------------------------------------------------------------------------


def test_a_connection_that_comes_after_stop_is_closed(case: Case) -> None:
    case.begin()
    link = case.new_link()
    case.post(SessionCreated(1, SESSION))
    case.post(TERM, Connected(1, link))
    assert case.state() is State.STOPPED
    assert case.attempts[0].stopped
    assert link.closed
    assert "shutdown" in link.said


def test_a_connection_of_an_attempt_that_was_given_up_is_closed(case: Case) -> None:
    case.begin()
    old = case.new_link()
    case.after(2)
    case.network_back()
    assert case.attempts[0].stopped
    case.after(case.waiting_s())
    assert case.call.epoch == 2
    case.post(SessionCreated(1, SESSION))
    assert case.state() is State.CREATING, "nor did the old session count"
    case.post(SessionCreated(2, SESSION), Connected(1, old), AttemptFailed(1, ChannelError("late")))
    assert old.closed
    assert case.state() is State.CONNECTING
    case.supervisor.step()
    new = case.new_link()
    case.post(Connected(2, new))
    assert not new.closed
    assert case.link is new


def test_a_connection_beyond_its_deadline_is_closed(case: Case) -> None:
    case.begin()
    link = case.new_link()
    case.after(30)
    case.post(SessionCreated(1, SESSION), Connected(1, link))
    assert case.state() is State.WAITING
    assert link.closed


def test_a_second_connection_of_the_same_attempt_is_closed(case: Case) -> None:
    link = case.streaming()
    second = case.new_link()
    case.post(Connected(1, second))
    assert second.closed
    assert case.link is link
    assert not link.closed


def test_what_old_epochs_say_changes_nothing(case: Case) -> None:
    case.streaming()
    case.post(LinkEnded(1, ChannelClosed("cut")))
    case.after(case.waiting_s())
    link = case.connect()
    assert link.epoch == 2
    before = list(case.reporter.states)
    event = wire.Message("T", "x", None, None, None, None)
    left = wire.MeetingLeft("MEETING_ENDED")
    case.post(
        LinkEnded(1, ChannelClosed("the other thread's word")),
        RoomEvent(1, event),
        RoomEvent(1, left),
        AttemptFailed(1, ChannelError("late")),
        SessionCreated(1, SESSION),
    )
    assert case.state() is State.STREAMING
    assert case.reporter.states == before
    assert case.reporter.events == []
    assert link.said == []
    case.post(RoomEvent(2, event))
    assert case.reporter.events == [event]


def test_what_the_device_itself_published_is_no_news_when_a_history_brings_it(case: Case) -> None:
    case.streaming()
    theirs = wire.Message("T", "x", "alice", "Alice", None, "id-1")
    case.post(RoomEvent(1, wire.Message("T", "x", OWN_ID, "Device", None, "id-2")), RoomEvent(1, theirs))
    assert case.reporter.events == [theirs]


def test_a_link_that_both_threads_report_ended_counts_once(case: Case) -> None:
    case.streaming()
    case.post(LinkEnded(1, ChannelClosed("cut")), LinkEnded(1, ChannelClosed("cut")))
    assert case.waits == 1
    assert case.state() is State.WAITING


def test_a_failure_after_the_attempts_deadline_is_no_second_failure(case: Case) -> None:
    case.begin()
    case.after(30)
    case.post(AttemptFailed(1, BackendError(BackendFault.RATE_LIMITED, "slow down", 500.0)))
    assert case.waits == 1
    assert case.waiting_s() < 1


# --- how long is waited ------------------------------------------------------------------------------------------


def test_the_backoff_starts_over_only_after_ten_seconds_in_the_room(case: Case) -> None:
    case.streaming()
    waits = []
    for streamed_s in (0.0, 9.9, 5.0, 10.0, 0.0):
        link = case.link
        assert link is not None
        case.after(streamed_s)
        case.post(LinkEnded(case.call.epoch, ChannelClosed("cut")))
        waits.append(case.waiting_s())
        case.after(case.waiting_s())
        case.connect()
    assert waits == pytest.approx([0.5, 1.0, 2.0, 0.5, 1.0])


def test_an_attempt_has_thirty_seconds(case: Case) -> None:
    case.begin()
    case.after(29.9)
    assert case.state() is State.CREATING
    assert [attempt.stopped for attempt in case.attempts] == [False]
    case.after(0.1)
    assert case.state() is State.WAITING
    assert case.attempts[0].stopped
    _, _, reason, error = case.reporter.states[-1]
    assert isinstance(error, ChannelError)
    assert "30 s" in reason
    case.after(case.waiting_s())
    assert [attempt.epoch for attempt in case.attempts] == [1, 2]


def test_the_deadline_counts_for_the_connection_too_and_ends_with_it(case: Case) -> None:
    case.begin()
    case.after(20)
    case.post(SessionCreated(1, SESSION))
    case.after(10)
    assert case.state() is State.WAITING
    case.after(case.waiting_s())
    link = case.connect()
    for _ in range(10):
        case.hear(link)
        case.after(20)
    assert case.state() is State.STREAMING


def test_an_unforeseen_exception_in_an_attempt_is_a_failure_and_no_end(case: Case) -> None:
    case.begin()
    for number in range(1, 6):
        case.post(AttemptFailed(number, KeyError("a bug")))
        assert case.state() is State.WAITING
        assert case.waiting_s() == pytest.approx(0.5 * 2 ** (number - 1))
        assert isinstance(case.reporter.states[-1][3], KeyError)
        case.after(case.waiting_s())
    assert case.reporter.bugs == ["an attempt failed by KeyError"] * 5
    assert case.connect()


def test_what_was_foreseen_is_no_bug(case: Case) -> None:
    case.begin()
    case.post(AttemptFailed(1, IngestdError("known")))
    assert case.reporter.bugs == []


# --- the end -----------------------------------------------------------------------------------------------------


def test_a_signal_hangs_up_and_waits_a_second_for_the_answer(case: Case) -> None:
    link = case.streaming()
    case.users_look()
    case.post(TERM)
    assert case.state() is State.STOPPING
    assert link.said == ["hang_up"]
    case.after(0.99)
    assert case.state() is State.STOPPING
    case.after(0.01)
    assert case.state() is State.STOPPED
    assert link.users == 2
    case.users_look()
    assert link.closed


def test_the_answer_to_the_goodbye_ends_it_at_once(case: Case) -> None:
    link = case.streaming()
    case.post(TERM)
    case.post(LinkEnded(1, ChannelClosed("bye", 1000)))
    assert case.state() is State.STOPPED
    assert link.closed


def test_a_second_signal_hurries(case: Case) -> None:
    link = case.streaming()
    case.post(TERM)
    assert case.state() is State.STOPPING
    case.post(TERM)
    assert case.state() is State.STOPPED
    assert link.closed
    case.post(TERM)
    assert case.state() is State.STOPPED


def test_a_dead_thread_ends_the_daemon_and_is_a_bug(case: Case) -> None:
    case.streaming()
    case.mailbox.post(WorkerDied("sender", ValueError("x")))
    case.mailbox.post(LinkEnded(1, ChannelClosed("bye")))
    case.supervisor.step()
    assert case.state() is State.STOPPED
    assert case.reporter.bugs == ["the sender thread died of ValueError"]


@pytest.mark.parametrize(("mail", "clean"), [(TERM, True), (WorkerDied("sender", ValueError("x")), False)])
def test_run_says_whether_the_end_was_clean(case: Case, mail: Signalled | WorkerDied, clean: bool) -> None:
    case.mailbox.post(mail)
    assert case.supervisor.run() is clean


def test_totals_survive_their_links(case: Case) -> None:
    for fault in ("oversize", "not_json", "oversize"):
        link = case.streaming() if case.call.epoch == 0 else case.connect()
        link.wire_faults[fault] += 1
        case.post(LinkEnded(link.epoch, ChannelClosed("cut")))
        case.after(case.waiting_s())
    assert case.totals() == Counter(oversize=2, not_json=1)
    assert case.connections.count == 3


def test_devices_and_beats_are_passed_on(case: Case) -> None:
    case.begin()
    mail = DeviceChanged("capture", "mic", None)
    case.post(mail)
    assert case.reporter.devices == [mail]
    before = case.reporter.beats
    case.after(10)
    assert case.reporter.beats - before == 10
