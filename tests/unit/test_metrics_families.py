"""What Prometheus is told: every figure of the status by its name and unit, and nothing that a stranger wrote."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ingestd.core.catalog import every_fault, session_faults
from ingestd.core.lifecycle import State
from ingestd.metrics.families import families, renderer
from ingestd.metrics.figures import FIGURES
from tests.unit.test_status import Parts

KNOWN_LABELS = {"state", "clock", "device", "kind", "area", "fault", "version"}


@pytest.fixture
def status() -> dict[str, Any]:
    """Of a daemon in a call."""
    parts = Parts()
    parts.case.streaming()
    return parts.snapshot()


def samples(status: dict[str, Any]) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Name and labels → value."""
    return {
        (sample.name, tuple(sample.labels.items())): sample.value
        for family in families(status, 1_900_000_000.5)
        for sample in family.samples
    }


def test_the_text_is_prometheus_own(status: dict[str, Any]) -> None:
    text = renderer(lambda: status, lambda: None)().decode()
    found = {family.name: family for family in text_string_to_metric_families(text)}
    assert len(found) > 50
    assert all(family.documentation for family in found.values())
    assert {name.split("_")[0] for name in found} == {"ingestd", "process"}


def test_one_state_is_one_and_all_others_are_none(status: dict[str, Any]) -> None:
    values = {key[1][0][1]: value for key, value in samples(status).items() if key[0] == "ingestd_state"}
    assert values == {state.value: float(state is State.STREAMING) for state in State}
    assert samples(status)["ingestd_in_room", ()] == 1.0
    status["state"] = "waiting"
    assert samples(status)["ingestd_in_room", ()] == 0.0


@pytest.mark.parametrize(
    ("place", "value", "name", "expected"),
    [
        (("uplink", "frames"), 1234, "ingestd_uplink_frames_total", 1234.0),
        (("uplink", "backlog_ms"), 40.0, "ingestd_uplink_backlog_seconds", 0.04),
        (("uplink", "muted"), True, "ingestd_uplink_muted", 1.0),
        (("uplink", "level_dbfs"), -31.5, "ingestd_uplink_level_dbfs", -31.5),
        (("downlink", "concealed"), 1500, "ingestd_downlink_concealed_seconds_total", 1.5),
        (("downlink", "delay_ms"), 80.0, "ingestd_downlink_delay_seconds", 0.08),
        (("session", "rtt_ms"), 25.0, "ingestd_session_round_trip_seconds", 0.025),
        (("config", "last_good"), True, "ingestd_config_last_good", 1.0),
        (("messaging", "received"), 7, "ingestd_messages_received_total", 7.0),
        (("next_attempt_in_s",), 3.5, "ingestd_next_attempt_seconds", 3.5),
        (("since",), "2023-11-14T22:13:20.250+00:00", "ingestd_state_start_time_seconds", 1_700_000_000.25),
    ],
)
def test_units_are_prometheus_own(
    status: dict[str, Any], place: tuple[str, ...], value: object, name: str, expected: float
) -> None:
    *path, last = place
    node = status
    for key in path:
        node = node[key]
    node[last] = value
    assert samples(status)[name, ()] == pytest.approx(expected)


def test_what_is_known_of_one_of_several_has_its_label(status: dict[str, Any]) -> None:
    status["clocks"] = {"capture_ppm": 100.0, "playback_ppm": None, "server_ppm": -50.0}
    status["devices"]["capture"]["lost"] = True
    status["devices"]["playback"]["lost"] = False
    status["messaging"]["refused"] = {"not_json": 3, "made up": 9}
    found = samples(status)
    assert found["ingestd_clock_drift_ratio", (("clock", "capture"),)] == pytest.approx(1e-4)
    assert ("ingestd_clock_drift_ratio", (("clock", "playback"),)) not in found
    assert found["ingestd_device_lost", (("device", "capture"),)] == 1.0
    assert found["ingestd_device_lost", (("device", "playback"),)] == 0.0
    assert found["ingestd_inbound_refused_total", (("kind", "not_json"),)] == 3.0
    assert ("ingestd_inbound_refused_total", (("kind", "made up"),)) not in found


def test_failures_are_there_by_their_names_before_the_first_of_each(status: dict[str, Any]) -> None:
    status["session"]["failed"] = {"dns": 3, "made up": 9}
    values = {key[1]: value for key, value in samples(status).items() if key[0] == "ingestd_attempts_failed_total"}
    assert values == {(("fault", name),): 3.0 * (name == "dns") for name in session_faults()}
    assert len(values) > 60


@pytest.mark.parametrize(("start", "auto"), [("auto", 1.0), ("demand", 0.0)])
def test_whether_a_call_is_always_wanted(status: dict[str, Any], start: str, auto: float) -> None:
    status["session"]["start"] = start
    assert samples(status)["ingestd_session_start_auto", ()] == auto


@pytest.mark.parametrize("kept", [True, False])
def test_a_mute_that_is_not_kept(status: dict[str, Any], kept: bool) -> None:
    status["uplink"]["mute_kept"] = kept
    assert samples(status)["ingestd_mute_unkept", ()] == float(not kept)


def fault(name: str, over: bool) -> dict[str, Any]:
    return {"area": "session", "name": name, "what": "x", "over": over}


def test_faults_are_there_by_their_names_now_and_once_they_are_over(status: dict[str, Any]) -> None:
    status["faults"] = [fault("dns", True), fault("dns", False), fault("dns", True), fault("forbidden", True)]
    values = {key[1]: value for key, value in samples(status).items() if key[0] == "ingestd_fault_active"}
    assert values == {
        (("area", "session"), ("fault", "dns")): 1.0,
        (("area", "session"), ("fault", "forbidden")): 0.0,
    }


def test_what_is_not_known_is_left_out(status: dict[str, Any]) -> None:
    status["room"] = None
    status["session"].update(started=None, rtt_ms=None, first_audio_s=None)
    names = {name for name, _ in samples(status)}
    assert "ingestd_room_others" not in names
    assert {name for name in names if name.startswith("ingestd_session_")} == {
        "ingestd_session_joined",
        "ingestd_session_reconnects_total",
        "ingestd_session_renewals_total",
        "ingestd_session_start_auto",
    }


def test_a_status_before_anything_happened_is_enough() -> None:
    names = {name for name, _ in samples(Parts().snapshot())}
    assert {"ingestd_state", "ingestd_uplink_frames_total", "ingestd_build_info"} <= names


def test_the_token_s_end_is_there_where_it_is_known(status: dict[str, Any]) -> None:
    assert samples(status)["ingestd_token_expiry_timestamp_seconds", ()] == 1_900_000_000.5
    assert b"\ningestd_token_expiry_timestamp_seconds" not in renderer(lambda: status, lambda: None)()


def test_names_are_said_once_and_labels_are_few(status: dict[str, Any]) -> None:
    status["faults"] = [fault(name, False) for name, _, _ in every_fault()]
    status["clocks"]["capture_ppm"] = 1.0
    found = [family.name for family in families(status, None)]
    assert len(found) == len(set(found)) > len(FIGURES)
    keys = {label for _, labels in samples(status) for label, _ in labels}
    assert keys == KNOWN_LABELS
    assert len(samples(status)) < 250


def test_nothing_that_somebody_wrote_is_passed_on(status: dict[str, Any]) -> None:
    marks = "stranger\x1b[2J"
    status["reason"] = marks
    status["session"]["call_id"] = marks
    status["room"] = {"text": marks, "joined": True, "others": 1, "alone_s": None}
    status["config"]["faults"] = [marks]
    status["devices"]["capture"]["device"] = marks
    status["messaging"]["topics"] = [marks]
    status["faults"] = [{**fault("dns", False), "what": marks, "meaning": marks, "remedy": marks}]
    assert b"stranger" not in renderer(lambda: status, lambda: None)()
