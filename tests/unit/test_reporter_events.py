"""The events that hooks are set on, as local programs hear them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ingestd.core.lifecycle import State
from ingestd.core.presence import RoomView
from ingestd.core.roomnews import ALONE_S
from ingestd.errors import DeviceError
from ingestd.threads.mailbox import DeviceChanged
from tests.unit.reporter_case import Case, reporter_case


@pytest.fixture
def case() -> Iterator[Case]:
    with reporter_case() as made:
        yield made


def events(case: Case) -> list[tuple[str, dict[str, Any]]]:
    states = [params for method, params in case.news if method == "state"]
    found = [(params["event"], params["detail"]) for params in states if params["event"]]
    case.news.clear()
    return found


def test_in_and_out_of_the_room(case: Case) -> None:
    case.reporter.state(State.CREATING, 1, "starting", None)
    assert events(case) == []
    case.streams(1)
    assert events(case) == [("connected", {})]
    case.reporter.state(State.RENEWING, 2, "renewing", None)
    case.reporter.state(State.OVERLAPPING, 2, "connected beside", None)
    case.streams(2)
    assert events(case) == [], "a renewal never leaves the room"
    case.attempt_fails(3)
    assert [event for event, _ in events(case)] == ["disconnected", "fault"]


def test_a_fault_is_an_event_when_it_is_news_and_says_what_helps(case: Case) -> None:
    case.attempt_fails(1)
    (fault,) = events(case)
    assert fault[0] == "fault"
    assert fault[1]["what"] == "can't reach it"
    assert fault[1]["area"] == "session"
    assert fault[1]["meaning"]
    assert fault[1]["remedy"]
    case.attempt_fails(2)
    assert events(case) == [], "the same again"


def test_a_device_is_lost_and_back_once_whatever_it_fails_of_meanwhile(case: Case) -> None:
    case.reporter.device(DeviceChanged("capture", "mic", None))
    assert events(case) == [], "it was never lost"
    case.reporter.device(DeviceChanged("capture", "mic", DeviceError("gone")))
    case.reporter.device(DeviceChanged("capture", "mic", DeviceError("busy")))
    told = events(case)
    assert [event for event, _ in told] == ["device-lost", "fault", "fault"]
    assert told[0][1] == {"device": "capture", "what": "gone"}
    case.reporter.device(DeviceChanged("capture", "mic", None))
    assert events(case) == [("device-back", {"device": "capture", "what": "mic"})]


def test_alone_once_each_time(case: Case) -> None:
    case.streams(1)
    events(case)
    for alone_s in (0.0, ALONE_S, ALONE_S + 1.0, None, ALONE_S):
        case.reporter.heartbeat(RoomView("alone", True, 0, alone_s))
    assert [event for event, _ in events(case)] == ["alone", "alone"]
