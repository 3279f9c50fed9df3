"""Who hears what: the log stays short for years, and a stranger's text stays one line."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from ingestd.audio.ports import Negotiated
from ingestd.core import wire
from ingestd.core.lifecycle import State
from ingestd.errors import DeviceError
from ingestd.reporter import Reporter
from ingestd.system.journal import LOG
from ingestd.threads.mailbox import DeviceChanged


class FakeNotifier:
    """Keeps what systemd would be told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.watchdog_every_s: float | None = None

    def ready(self) -> None:
        self.told.append("ready")

    def status(self, line: str) -> None:
        self.told.append(f"status {line}")

    def watchdog(self) -> None:
        self.told.append("watchdog")

    def stopping(self) -> None:
        self.told.append("stopping")


class Case:
    """A reporter whose time, health and listeners are the test's."""

    def __init__(self, records: list[logging.LogRecord]) -> None:
        self.now = 1000.0
        self.healthy = True
        self.records = records
        self.news: list[tuple[str, dict[str, Any]]] = []
        self.notifier = FakeNotifier()
        self.reporter = Reporter(
            self.notifier,  # type: ignore[arg-type]
            lambda method, params: self.news.append((method, params)),
            lambda: self.healthy,
            lambda: self.now,
        )

    def logged(self) -> list[tuple[int, str]]:
        """Level and text of what was logged since last asked."""
        found = [(record.levelno, record.getMessage()) for record in self.records]
        self.records.clear()
        return found

    def levels(self) -> list[int]:
        return [level for level, _ in self.logged()]

    def attempt_fails(self, epoch: int, reason: str = "can't reach it", key: str = "backend-unreachable") -> None:
        self.reporter.state(State.CREATING, epoch, "trying again", None)
        self.reporter.state(State.WAITING, epoch, reason, key)

    def streams(self, epoch: int) -> None:
        self.reporter.state(State.STREAMING, epoch, "connected", None)


@pytest.fixture
def case() -> Iterator[Case]:
    records: list[logging.LogRecord] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    handler, level, propagate = Keep(), LOG.level, LOG.propagate
    LOG.addHandler(handler)
    LOG.setLevel(logging.DEBUG)
    LOG.propagate = False
    yield Case(records)
    LOG.removeHandler(handler)
    LOG.setLevel(level)
    LOG.propagate = propagate


D, INFO, WARNING = logging.DEBUG, logging.INFO, logging.WARNING


def test_a_backend_that_is_down_for_a_week_is_one_warning(case: Case) -> None:
    for epoch in range(1, 10_000):
        case.attempt_fails(epoch, f"can't reach it (request id {epoch})")
        case.now += 60
    levels = case.levels()
    assert levels[:2] == [INFO, WARNING]
    assert set(levels[2:]) == {D}
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
    assert case.levels() == [D, WARNING]


def test_a_room_that_throws_out_at_once_for_a_week_fills_no_log(case: Case) -> None:
    for epoch in range(1, 5000):
        case.reporter.state(State.CREATING, epoch, "trying again", None)
        case.reporter.state(State.CONNECTING, epoch, "session created", None)
        case.streams(epoch)
        case.now += 1
        case.reporter.state(State.WAITING, epoch, "closed with code 1011", "closed with code 1011")
        case.now += 60
    levels = case.levels()
    assert levels.count(WARNING) == 1
    assert levels.count(INFO) <= 5


def test_the_first_attempt_and_the_way_out_are_told(case: Case) -> None:
    for state in (State.CREATING, State.CONNECTING, State.STREAMING, State.STOPPING, State.STOPPED):
        case.reporter.state(state, 1, "x", "a fault that ends it" if state is State.STOPPED else None)
    assert case.levels() == [INFO] * 5
    for state in (State.CREATING, State.CONNECTING):
        case.reporter.state(state, 2, "x", None)
    assert case.levels() == [D] * 2


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
    assert set(case.levels()) == {D}
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
        ("state", {"state": "streaming", "reason": "connected", "epoch": 3}),
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


def test_a_lost_device_is_one_warning_however_long_it_is_gone(case: Case) -> None:
    lost = DeviceChanged("capture", "mic", DeviceError("capture device 'mic' is lost"))
    found = DeviceChanged("capture", "mic", None)
    case.reporter.device(found)
    assert case.logged() == [(INFO, "capture device 'mic' is open")]
    for _ in range(100):
        case.reporter.device(lost)
        case.now += 60
    assert case.levels() == [WARNING] + [D] * 99
    case.reporter.device(found)
    case.reporter.device(lost)
    case.reporter.device(found)
    assert case.levels() == [INFO, D, D], "it comes and goes"
    case.now += 30
    case.reporter.device(lost)
    ((level, line),) = case.logged()
    assert level == WARNING
    assert "looking for it again" in line


@pytest.mark.parametrize(
    ("hardware", "said"),
    [
        ((), "capture device 'mic' is open"),
        ((48_000, 2, "speexrate"), "capture device 'mic' is open: 48000 Hz, 2 channels, converted by speexrate"),
        ((8000, 1, None), "capture device 'mic' is open: 8000 Hz, 1 channel"),
        ((None, None, "linear"), "capture device 'mic' is open: converted by linear"),
    ],
)
def test_what_a_device_agreed_to_is_told(case: Case, hardware: tuple[Any, ...], said: str) -> None:
    case.reporter.device(DeviceChanged("capture", "mic", None, Negotiated("mic", 160, 3200, *hardware)))
    assert case.logged() == [(INFO, said)]


def test_a_device_that_warns_is_told_once_and_not_after_every_replug(case: Case) -> None:
    def opened(*warnings: str) -> None:
        negotiated = Negotiated("mic", 160, 3200, warnings=warnings)
        case.reporter.device(DeviceChanged("capture", "mic", DeviceError("it is lost")))
        case.reporter.device(DeviceChanged("capture", "mic", None, negotiated))
        case.now += 1000

    def warned() -> list[str]:
        return [text for level, text in case.logged() if level == WARNING and "lost" not in text]

    opened("a", "b")
    assert warned() == ["capture device 'mic': a", "capture device 'mic': b"]
    opened("b", "c")
    assert warned() == ["capture device 'mic': c"]
    opened()
    opened("b")
    assert warned() == ["capture device 'mic': b"], "it was well in between"


def test_microphone_and_speaker_are_two_faults(case: Case) -> None:
    for device in ("capture", "playback"):
        case.reporter.device(DeviceChanged(device, "x", DeviceError(f"{device} is lost")))
    assert case.levels() == [WARNING] * 2
    case.reporter.device(DeviceChanged("capture", "x", None))
    case.records.clear()
    case.now += 1000
    case.reporter.device(DeviceChanged("playback", "x", DeviceError("playback is lost")))
    assert case.levels() == [D]


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
    case.reporter.state(State.WAITING, 1, "x" * 500, "fault")
    assert case.notifier.told[0] == "ready"
    assert len(case.notifier.told[1]) < 220
    case.notifier.told.clear()
    case.reporter.state(State.STOPPING, 1, "bye", None)
    assert case.notifier.told == ["stopping", "status stopping: bye"]


def test_the_watchdog_is_fed_in_time_and_only_while_all_threads_live(case: Case) -> None:
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
    for _ in range(60):
        case.reporter.heartbeat()
        case.now += 1
    assert case.notifier.told == []
    case.healthy = True
    case.reporter.heartbeat()
    assert case.notifier.told == ["watchdog"]
