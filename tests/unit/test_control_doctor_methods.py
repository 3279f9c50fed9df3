"""The control method doctor: what a status says about health."""

from __future__ import annotations

import copy
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingestd.control.doctor_methods import checks, doctor_methods
from ingestd.core.check import Check, Verdict, from_json
from tests.unit.doctor_case import by_name, failed

DEVICE: dict[str, Any] = {
    "device": "plughw:CARD=Mic",
    "lost": False,
    "lost_since": None,
    "period_ms": 20.0,
    "buffer_ms": 400.0,
    "hardware_rate_hz": 48000,
    "hardware_channels": 2,
    "converter": "speexrate",
    "warnings": [],
}
STATUS: dict[str, Any] = {
    "state": "streaming",
    "reason": "connected",
    "next_attempt_in_s": None,
    "session": {
        "joined": True,
        "reconnects": 2,
        "renewals": 1,
        "first_audio_s": 0.25,
    },
    "config": {"last_good": False, "faults": []},
    "uplink": {"level_dbfs": -30.0, "peak_dbfs": -20.0, "clipped": 0, "muted": False, "mute_kept": True},
    "devices": {"capture": DEVICE, "playback": DEVICE},
    "faults": [],
}
FAULT = {
    "area": "capture",
    "what": "capture device is lost; plug it in",
    "meaning": "It went.",
    "remedy": "Plug it in.",
    "over": False,
}
REFUSED = {
    "area": "session",
    "what": "can't connect: Connection refused; check the network",
    "meaning": "The machine is there.",
    "remedy": "See whether it runs.",
    "over": False,
}


def well() -> dict[str, Any]:
    """The status of a daemon whose session is a day old."""
    status = copy.deepcopy(STATUS)
    status["session"]["started"] = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    return status


def found(**changes: Any) -> dict[str, Check]:
    """`changes` are laid over the groups."""
    status = well()
    for key, change in changes.items():
        status[key] = {**status[key], **change} if isinstance(change, dict) else change
    return by_name(checks(status))


def test_a_daemon_that_is_well() -> None:
    all_of_it = found()
    assert {check.verdict for check in all_of_it.values()} == {Verdict.OK}
    assert "the hardware runs at 48000 Hz, converted by speexrate" in all_of_it["microphone"].what
    assert "reconnects: 2, renewals: 1" in all_of_it["session"].what
    assert re.search(r"is 86[45]\d\d s old", all_of_it["session"].what)
    assert "0.25 s" in all_of_it["first room audio"].what


def test_its_answer_is_checks_as_json() -> None:
    answer = doctor_methods(well)["doctor"]({})
    assert {from_json(one).name for one in answer["checks"]} == set(found())


@pytest.mark.parametrize(
    ("name", "changes", "verdict", "words"),
    [
        ("mute", {"uplink": {"muted": True}}, Verdict.WARNING, "muted by software"),
        ("mute", {"uplink": {"muted": True, "mute_kept": False}}, Verdict.WARNING, "not kept over a restart"),
        ("microphone level", {"uplink": {"peak_dbfs": -96.0}}, Verdict.FAILED, "digital silence"),
        ("microphone level", {"uplink": {"peak_dbfs": -80.0}}, Verdict.WARNING, "next to nothing"),
        ("microphone level", {"uplink": {"peak_dbfs": 0.0, "clipped": 7}}, Verdict.WARNING, "7 samples were cut off"),
        ("microphone level", {"uplink": {"clipped": 7}}, Verdict.OK, "peak -20 dBFS"),
        ("session", {"state": "waiting", "next_attempt_in_s": 12.3}, Verdict.FAILED, "next attempt in 12 s"),
        ("session", {"state": "standby"}, Verdict.SKIPPED, "standing by"),
        ("session", {"session": {"joined": False, "started": None}}, Verdict.OK, "has not said that it joined"),
        ("first room audio", {"session": {"first_audio_s": None}}, Verdict.WARNING, "none has come"),
        ("first room audio", {"state": "waiting"}, Verdict.SKIPPED, "not in the room"),
        ("configuration in use", {"config": {"last_good": True, "faults": ["f:1: x"]}}, Verdict.FAILED, "f:1: x"),
        ("speaker", {"devices": {"playback": {**DEVICE, "warnings": ["it sounds poor"]}}}, Verdict.WARNING, "poor"),
        ("fault", {"faults": [FAULT]}, Verdict.FAILED, "capture device is lost; plug it in: It went."),
    ],
)
def test_what_is_not_well_is_named(name: str, changes: dict[str, Any], verdict: Verdict, words: str) -> None:
    check = found(**changes)[name]
    assert (check.verdict, words in check.what) == (verdict, True), check
    if verdict in (Verdict.WARNING, Verdict.FAILED):
        assert check.remedy


def test_a_lost_device_is_told_with_its_fault() -> None:
    lost = {"device": None, "lost": True, "lost_since": "2026-01-01T00:00:00+00:00"}
    seen = found(devices={"capture": lost}, faults=[FAULT, {**FAULT, "what": "capture: old", "over": True}])
    assert failed(seen.values()) == ["microphone"]
    assert seen["faults"].verdict is Verdict.OK
    assert "is lost since 2026-01-01T00:00:00+00:00: capture device is lost" in seen["microphone"].what
    assert seen["microphone level"].verdict is Verdict.SKIPPED


def test_one_outage_is_one_failure_whatever_it_was_called_before() -> None:
    before = {**REFUSED, "what": "nothing was acknowledged for 4 s", "meaning": "Packets vanish.", "remedy": "Wait."}
    status = {**well(), "state": "waiting", "reason": REFUSED["what"], "faults": [before, REFUSED]}
    seen = list(checks(status))
    assert failed(seen) == ["session"]
    session = by_name(seen)["session"]
    assert session.what == f"not in the room (waiting): {REFUSED['what']}: The machine is there."
    assert session.remedy == "See whether it runs."


def test_a_fault_in_a_call_that_goes_on_is_told() -> None:
    assert failed(found(faults=[REFUSED]).values()) == ["fault"]


def test_faults_that_are_over_are_none() -> None:
    assert found(faults=[{**FAULT, "over": True}])["faults"].verdict is Verdict.OK
