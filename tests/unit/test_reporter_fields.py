"""The journal's fields: of which session, device and kind of fault a line is."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from ingestd.core import wire
from ingestd.core.catalog import message_id
from ingestd.core.lifecycle import State
from ingestd.errors import ChannelClosed, DeviceError, IngestdError, UnfitDeviceError
from ingestd.system.journal import LOG
from ingestd.threads.mailbox import DeviceChanged, MetricsChanged
from tests.unit.reporter_case import INFO, WARNING, Case, reporter_case

FIELDS = ("EPOCH", "CALL_ID", "STATE", "DEVICE", "FAULT", "MESSAGE_ID")


@pytest.fixture
def case() -> Iterator[Case]:
    with reporter_case() as running:
        yield running


def fields(case: Case) -> dict[str, object]:
    """Of the last line, those that are ours."""
    return {name: value for name, value in vars(case.records[-1]).items() if name in FIELDS}


def call(case: Case, call_id: str | None = "call-1") -> None:
    case.reporter.state(State.CREATING, 1, "starting", None)
    case.reporter.session(1, call_id)
    case.reporter.state(State.CONNECTING, 1, "session created", None)
    case.streams(1)


def test_a_state_has_its_session(case: Case) -> None:
    call(case)
    assert fields(case) == {"EPOCH": 1, "CALL_ID": "call-1", "STATE": "streaming"}


def test_what_the_room_says_belongs_to_the_call(case: Case) -> None:
    call(case)
    case.reporter.room_event(wire.MeetingLeft("over"))
    assert fields(case) == {"EPOCH": 1, "CALL_ID": "call-1"}


def test_a_service_that_names_no_call_leaves_the_field_out(case: Case) -> None:
    call(case, None)
    assert fields(case) == {"EPOCH": 1, "STATE": "streaming"}


def test_a_name_by_the_service_is_shown_printable_and_short(case: Case) -> None:
    call(case, "\x1b[2J" + "x" * 5000)
    shown = str(fields(case)["CALL_ID"])
    assert shown.isprintable()
    assert len(shown) <= 200


def test_a_fault_has_its_name_and_the_catalog_s_id(case: Case) -> None:
    call(case)
    case.reporter.state(State.WAITING, 1, "gone", ChannelClosed("closed", 1008))
    expected = {"FAULT": "closed-1008", "MESSAGE_ID": message_id("closed-1008"), "EPOCH": 1, "CALL_ID": "call-1"}
    assert fields(case) == {**expected, "STATE": "waiting"}
    assert case.reporter.faults.all()[-1].name == "closed-1008"


def test_a_fault_that_comes_to_stay_keeps_its_fields(case: Case) -> None:
    case.attempt_fails(1)
    case.streams(2)
    case.attempt_fails(3)
    case.records.clear()
    case.beats(60)
    (line,) = [record for record in case.records if record.levelno == WARNING]
    assert vars(line)["FAULT"] == "connection-broke"
    assert vars(line)["EPOCH"] == 3


@pytest.mark.parametrize(
    ("device", "error", "name"),
    [
        ("capture", DeviceError("pulled out"), "capture-lost"),
        ("playback", DeviceError("pulled out"), "playback-lost"),
        ("capture", UnfitDeviceError("no 8 kHz"), "capture-unfit"),
        ("playback", UnfitDeviceError("no 8 kHz"), "playback-unfit"),
        ("playback", OSError("who knows"), "playback-lost"),
    ],
)
def test_a_lost_device_has_a_name_and_the_call_it_happened_in(
    case: Case, device: str, error: Exception, name: str
) -> None:
    call(case)
    case.reporter.device(DeviceChanged(device, "hw:1", error))
    of_call = {"EPOCH": 1, "CALL_ID": "call-1", "DEVICE": device}
    assert fields(case) == {**of_call, "FAULT": name, "MESSAGE_ID": message_id(name)}
    case.reporter.device(DeviceChanged(device, "hw:1", None))
    assert fields(case) == of_call


def test_a_device_outside_of_a_call_belongs_to_none(case: Case) -> None:
    case.reporter.device(DeviceChanged("capture", "hw:1", None))
    assert fields(case) == {"DEVICE": "capture"}


def test_metrics_that_can_not_be_served_are_a_fault_until_they_are(case: Case) -> None:
    refused = MetricsChanged("127.0.0.1:9465", IngestdError("can't serve metrics on 127.0.0.1:9465: it is taken"))
    for _ in range(3):
        case.reporter.metrics(refused)
    ((level, text), *rest) = case.logged()
    assert level == WARNING
    assert all(part in text for part in ("127.0.0.1:9465", "metrics.listen", "prometheus_client"))
    assert all(level < INFO for level, _ in rest), "said once"
    (fault,) = case.reporter.faults.all()
    assert (fault.area, fault.name, fault.count, fault.over) == ("metrics", "metrics-unavailable", 3, False)
    case.reporter.metrics(MetricsChanged("127.0.0.1:9465", None))
    assert case.reporter.faults.all()[0].over
    assert case.logged() == [(INFO, "figures for Prometheus are served on 127.0.0.1:9465")]


def test_a_bug_and_a_standstill_belong_to_the_call_they_happened_in(case: Case) -> None:
    call(case)
    case.reporter.bug("something failed", KeyError("x"))
    assert fields(case) == {"EPOCH": 1, "CALL_ID": "call-1"}
    case.records.clear()
    case.healthy = False
    case.beats(1)
    assert fields(case) == {"EPOCH": 1, "CALL_ID": "call-1"}


def test_lines_that_the_journal_did_not_take_are_tried_again_each_second(case: Case) -> None:
    class Flushed(logging.Handler):
        times = 0

        def flush(self) -> None:
            self.times += 1

    handler = Flushed()
    LOG.addHandler(handler)
    try:
        case.beats(3)
    finally:
        LOG.removeHandler(handler)
    assert handler.times == 3
