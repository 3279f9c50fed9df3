"""Who hears what: the log stays short for years, and a stranger's text stays one line."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator

import pytest

from ingestd.core import wire
from ingestd.core.faults import SELDOMEST_S
from ingestd.core.lifecycle import State
from ingestd.core.presence import RoomView
from ingestd.errors import BackendError, BackendFault, ChannelClosed, ChannelError, DeviceError
from ingestd.threads.mailbox import DeviceChanged
from tests.unit.reporter_case import DEBUG, INFO, WARNING, Case, reporter_case


@pytest.fixture
def case() -> Iterator[Case]:
    with reporter_case() as running:
        yield running


def test_a_backend_that_is_down_for_a_week_is_one_warning(case: Case) -> None:
    for epoch in range(1, 10_000):
        case.attempt_fails(epoch, f"can't reach it (request id {epoch})")
        case.beats(60)
    levels = case.levels()
    assert levels[:2] == [INFO, WARNING]
    assert set(levels[2:]) == {DEBUG}
    (fault,) = case.reporter.faults.all()
    assert (fault.count, fault.what) == (9999, "can't reach it (request id 9999)")


def test_reasons_that_take_turns_are_one_warning_each(case: Case) -> None:
    for epoch in range(1, 100):
        case.attempt_fails(epoch, key=("backend-unreachable", "backend-unavailable")[epoch % 2])
        case.now += 60
    assert case.levels().count(WARNING) == 2


def test_after_half_a_minute_in_the_room_it_is_a_warning_again(case: Case) -> None:
    case.attempt_fails(1)
    case.streams(2)
    assert case.levels() == [INFO, WARNING, INFO]
    case.now += 30
    case.attempt_fails(3)
    assert case.levels() == [DEBUG, WARNING]


def test_a_room_that_throws_out_at_once_for_a_week_fills_no_log(case: Case) -> None:
    for epoch in range(1, 10_000):
        case.reporter.state(State.CREATING, epoch, "trying again", None)
        case.reporter.state(State.CONNECTING, epoch, "session created", None)
        case.streams(epoch)
        case.beats(1)
        case.reporter.state(State.WAITING, epoch, "closed with code 1011", ChannelClosed("closed", 1011))
        case.beats(60)
    levels = case.levels()
    assert levels.count(WARNING) <= 5 + 61 * 10_000 / SELDOMEST_S
    assert levels.count(INFO) <= 10 + 61 * 10_000 / SELDOMEST_S


def test_a_backend_that_is_down_again_at_once_and_for_long_is_told_in_the_end(case: Case) -> None:
    case.attempt_fails(1)
    case.streams(2)
    case.attempt_fails(3)
    assert case.levels() == [INFO, WARNING, INFO, DEBUG, DEBUG]
    case.beats(1000)
    (record,) = case.records
    assert record.levelno == WARNING
    assert record.getMessage().startswith("can't reach it: ")
    assert record.getMessage().endswith("(it comes and goes; this time it lasts)")
    assert (record.__dict__["EPOCH"], record.__dict__["STATE"]) == (3, "waiting")


def test_the_first_attempt_and_the_way_out_are_told(case: Case) -> None:
    for state in (State.CREATING, State.CONNECTING, State.STREAMING, State.STOPPING, State.STOPPED):
        case.reporter.state(state, 1, "x", None)
    assert case.levels() == [INFO] * 5
    for state in (State.CREATING, State.CONNECTING):
        case.reporter.state(state, 2, "x", None)
    assert case.levels() == [DEBUG] * 2


def test_the_journals_fields(case: Case) -> None:
    case.attempt_fails(7)
    assert [(record.__dict__["EPOCH"], record.__dict__["STATE"]) for record in case.records] == [
        (7, "creating"),
        (7, "waiting"),
    ]


def test_a_crowd_in_the_room_is_no_line_of_the_log(case: Case) -> None:
    for number in range(1000):
        who = wire.Participant(str(number), f"name {number}", {})
        case.reporter.room_event(wire.ParticipantJoined(who))
        case.reporter.room_event(wire.ParticipantLeft(who))
        case.reporter.room_event(wire.Message("CHAT", "x", None, None, None, None))
        case.reporter.room_event(wire.Unknown("new"))
    assert set(case.levels()) == {DEBUG}
    assert [method for method, _ in case.news] == ["participant", "participant", "message"] * 1000


def test_local_programs_hear_of_people_and_messages(case: Case) -> None:
    case.reporter.room_event(wire.ParticipantJoined(wire.Participant("p", "P", {"a": 1})))
    case.reporter.room_event(wire.ParticipantLeft(wire.Participant("p", None, None)))
    case.reporter.room_event(wire.Message("T", "text", "s", "S", "2026", "1"))
    case.streams(3)
    assert case.news == [
        ("participant", {"joined": True, "id": "p", "name": "P", "metadata": {"a": 1}}),
        ("participant", {"joined": False, "id": "p", "name": None, "metadata": None}),
        (
            "message",
            {"topic": "T", "text": "text", "sender_id": "s", "sender_name": "S", "timestamp": "2026", "id": "1"},
        ),
        ("state", {"state": "streaming", "reason": "connected", "epoch": 3, "event": "connected", "detail": {}}),
    ]


@pytest.mark.parametrize("text", ["a\nJan 1 ingestd: forged", "\x1b[2J", "x" * 10_000, "\u202egpj.exe", "\ud800"])
def test_a_strangers_text_is_one_short_printable_line(case: Case, text: str) -> None:
    who = wire.Participant("id", text, None)
    case.reporter.room_event(wire.ParticipantJoined(who))
    case.reporter.room_event(wire.ParticipantLeft(who))
    case.reporter.room_event(wire.Message(text, "x", None, None, None, None))
    case.reporter.room_event(wire.MeetingJoined(text, None))
    case.reporter.room_event(wire.MeetingLeft(text))
    for _, line in case.logged():
        assert line.isprintable()
        assert len(line) < 300


def test_a_bug_comes_with_its_traceback_once(case: Case) -> None:
    for _ in range(50):
        case.reporter.bug("an attempt failed by KeyError", KeyError("x"))
    (record,) = case.records
    assert record.levelno == logging.CRITICAL
    assert record.exc_info
    case.reporter.bug("an attempt failed by ValueError", ValueError("x"))
    assert len(case.records) == 2


def test_systemd_is_told_of_every_state(case: Case) -> None:
    case.reporter.state(State.CREATING, 1, "starting", None)
    assert case.notifier.told == ["status creating: starting"], "not ready yet"
    case.notifier.told.clear()
    case.reporter.state(State.WAITING, 1, "x" * 500, ChannelError("x" * 500))
    assert case.notifier.told[0] == "ready"
    assert len(case.notifier.told[1]) < 220
    case.notifier.told.clear()
    case.reporter.state(State.STOPPING, 1, "bye", None)
    assert case.notifier.told == ["stopping", "status stopping: bye"]


def test_a_fault_is_told_with_its_meaning_and_its_remedy(case: Case) -> None:
    case.reporter.state(State.WAITING, 1, "401", BackendError(BackendFault.UNAUTHORIZED, "the backend answered 401"))
    ((level, text),) = case.logged()
    assert level == WARNING
    (fault,) = case.reporter.faults.all()
    assert text == f"the backend answered 401: {fault.meaning} {fault.remedy}"
    assert "/etc/ingestd/token" in text


@pytest.mark.parametrize("code", [1000, 1005, 4005])
def test_a_clean_end_is_no_fault_and_told_once_however_often_it_comes(case: Case, code: int) -> None:
    case.streams(1)
    case.records.clear()
    for epoch in range(2, 1000):
        case.reporter.state(State.WAITING, epoch, "bye", ChannelClosed("bye", code))
        case.now += 60
        case.reporter.state(State.CREATING, epoch, "trying again", None)
        case.streams(epoch)
        case.now += 5
    levels = case.levels()
    assert WARNING not in levels
    assert levels.count(INFO) <= 4
    assert case.reporter.faults.all() == ()


def test_renewals_that_the_room_throws_out_for_a_week_fill_no_log(case: Case) -> None:
    case.streams(1)
    case.records.clear()
    for epoch in range(2, 5000):
        case.reporter.state(State.RENEWING, epoch, "trying the renewal again", None)
        case.reporter.state(State.STREAMING, epoch, "evicted", ChannelClosed("evicted", 4005))
        case.now += 60
    levels = case.levels()
    assert WARNING not in levels
    assert levels.count(INFO) <= 4


def test_a_renewal_that_fails_is_a_fault_while_it_streams_on(case: Case) -> None:
    case.streams(1)
    case.reporter.state(State.RENEWING, 2, "a new token", None)
    case.reporter.state(State.STREAMING, 2, "401", BackendError(BackendFault.UNAUTHORIZED, "the backend answered 401"))
    assert case.levels() == [INFO, INFO, WARNING]
    assert not case.reporter.faults.all()[0].over
    case.reporter.state(State.RENEWING, 3, "trying the renewal again", None)
    case.reporter.state(State.RENEWING_CONNECTING, 3, "session created", None)
    case.reporter.state(State.OVERLAPPING, 3, "connected", None)
    case.reporter.state(State.STREAMING, 3, "the new session has taken over", None)
    assert case.levels() == [DEBUG, DEBUG, DEBUG, INFO]
    assert case.reporter.faults.all()[0].over


def test_systemds_line_tells_of_the_room_and_of_lost_devices(case: Case) -> None:
    case.streams(1)
    case.reporter.heartbeat(RoomView("joined, nobody else here", True, 0, 5.0))
    assert case.notifier.told[-1] == "status streaming: joined, nobody else here"
    case.reporter.device(DeviceChanged("capture", "mic", DeviceError("lost")))
    case.reporter.heartbeat(RoomView("joined, hearing the room", True, 1, None))
    assert case.notifier.told[-1] == "status streaming: joined, hearing the room; capture device lost"
    case.reporter.state(State.WAITING, 1, "cut", ChannelError("cut"))
    assert case.notifier.told[-1] == "status waiting: cut; capture device lost"


def test_the_watchdog_is_fed_in_time_and_only_while_all_makes_progress(case: Case) -> None:
    case.reporter.heartbeat()
    case.notifier.told.clear()
    case.reporter.heartbeat()
    assert case.notifier.told == [], "no watchdog was asked for"
    case.notifier.watchdog_every_s = 10.0
    fed = []
    for _ in range(60):
        case.reporter.heartbeat()
        if case.notifier.told:
            fed.append(case.now)
            case.notifier.told.clear()
        case.now += 1
    assert all(later - earlier <= 10 for earlier, later in itertools.pairwise(fed))
    assert 6 <= len(fed) <= 8
    case.healthy = False
    case.records.clear()
    for _ in range(60):
        case.reporter.heartbeat()
        case.now += 1
    assert case.notifier.told == []
    ((level, text),) = case.logged()
    assert level == logging.CRITICAL, "once"
    assert "captured samples" in text
    case.healthy = True
    case.reporter.heartbeat()
    assert case.notifier.told == ["watchdog"]


def test_since_when_it_is_in_the_room_or_not_goes_by_no_renewal_and_no_attempt(case: Case) -> None:
    reporter = case.reporter
    began = reporter.room_since
    case.attempt_fails(1)
    assert reporter.room_since == began < reporter.since
    case.streams(2)
    came = reporter.room_since
    assert came == reporter.since
    reporter.state(State.RENEWING, 2, "renewing", None)
    assert reporter.room_since == came < reporter.since
    case.attempt_fails(3)
    assert came < reporter.room_since < reporter.since, "it left with the first state out of the room"


def test_an_end_that_is_no_fault_has_its_remedy_in_the_status_while_it_is_waited_out(case: Case) -> None:
    case.streams(1)
    twin = ChannelClosed("the server closed the connection with code 4005", 4005)
    case.reporter.state(State.WAITING, 1, str(twin), twin)
    assert case.reporter.faults.all() == ()
    assert case.reporter.remedy is not None
    assert "its own session.participant.id" in case.reporter.remedy
    case.streams(2)
    assert case.reporter.remedy is None
