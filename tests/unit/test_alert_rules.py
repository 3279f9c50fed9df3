"""Each alert fires in its case and in no other, on a fleet with a device for each case and one that is well."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from ingestd.core.catalog import every_fault
from tests.rig.promtool import needs_promtool, promtool

FOLDER: Final = Path(__file__).parents[2] / "etc/prometheus"
RULES: Final = FOLDER / "ingestd.rules.yaml"
ALERTS: Final = {rule["alert"]: rule for rule in yaml.safe_load(RULES.read_text())["groups"][0]["rules"]}
AT: Final = "90m"
SAMPLES: Final = 400
HEALTHY: Final = {
    "up{%s}": f"1x{SAMPLES}",
    "ingestd_in_room{%s}": f"1x{SAMPLES}",
    "ingestd_session_joined{%s}": f"1x{SAMPLES}",
    "ingestd_session_start_auto{%s}": f"1x{SAMPLES}",
    "ingestd_token_expiry_timestamp_seconds{%s}": f"1000000x{SAMPLES}",
    'ingestd_state{state="streaming",%s}': f"1x{SAMPLES}",
    'ingestd_state{state="standby",%s}': f"0x{SAMPLES}",
    'ingestd_state{state="hanging up",%s}': f"0x{SAMPLES}",
    'ingestd_fault_active{area="session",fault="dns",%s}': f"1x{SAMPLES}",  # passes by itself
    'ingestd_fault_active{area="session",fault="unauthorized",%s}': f"0x{SAMPLES}",
    "ingestd_session_reconnects_total{%s}": f"0+0.1x{SAMPLES}",
    "process_start_time_seconds{%s}": f"1000x{SAMPLES}",
    'ingestd_device_lost{device="capture",%s}': f"0x{SAMPLES}",
    'ingestd_device_lost{device="playback",%s}': f"0x{SAMPLES}",
    "ingestd_uplink_peak_dbfs{%s}": f"-62x{SAMPLES}",
    "ingestd_uplink_muted{%s}": f"0x{SAMPLES}",
    "ingestd_mute_unkept{%s}": f"0x{SAMPLES}",
    "ingestd_downlink_concealed_seconds_total{%s}": f"0+0.3x{SAMPLES}",
    "ingestd_downlink_dropped_seconds_total{%s}": f"0+0.3x{SAMPLES}",
    "ingestd_downlink_device_underruns_total{%s}": f"0+1x{SAMPLES}",
    "ingestd_uplink_dropped_frames_total{%s}": f"0+10x{SAMPLES}",
    "ingestd_uplink_backlog_seconds{%s}": f"0.02x{SAMPLES}",
    'ingestd_clock_drift_ratio{clock="capture",%s}': f"0.0001x{SAMPLES}",
    "ingestd_config_last_good{%s}": f"0x{SAMPLES}",
}
"""What a device without a fault shows, one sample a minute; so does the one beside the one in trouble."""

STANDBY: Final = {
    "ingestd_in_room{%s}": f"0x{SAMPLES}",
    "ingestd_session_joined{%s}": f"0x{SAMPLES}",
    'ingestd_state{state="streaming",%s}': f"0x{SAMPLES}",
    'ingestd_state{state="standby",%s}': f"1x{SAMPLES}",
}
OUT: Final = {
    "ingestd_in_room{%s}": f"0x{SAMPLES}",
    "ingestd_session_joined{%s}": f"0x{SAMPLES}",
    'ingestd_state{state="streaming",%s}': f"0x{SAMPLES}",
}
ON_DEMAND: Final = {"ingestd_session_start_auto{%s}": f"0x{SAMPLES}"}
EXPIRY: Final = "ingestd_token_expiry_timestamp_seconds{%s}"
SILENT: Final = {"ingestd_uplink_peak_dbfs{%s}": f"-96x{SAMPLES}"}
LOST: Final = {'ingestd_device_lost{device="capture",%s}': f"1x{SAMPLES}"}
MUTED: Final = {"ingestd_uplink_muted{%s}": f"1x{SAMPLES}"}

Case = tuple[dict[str, str], set[str]]
"""What is different from a healthy device, and the alerts that fire."""

CASES: Final[dict[str, Case]] = {
    "no answer": ({"up{%s}": f"1x80 0x{SAMPLES}"}, {"IngestdDown"}),
    "one scrape without an answer": ({"up{%s}": f"1x88 0x{SAMPLES}"}, set()),
    "out of the room": (OUT, {"IngestdOutOfRoom"}),
    "a reconnect under way": ({"ingestd_in_room{%s}": f"1x86 0x{SAMPLES}"}, set()),
    "no call is wanted": (STANDBY, set()),
    "connected, and not let in": ({"ingestd_session_joined{%s}": f"0x{SAMPLES}"}, {"IngestdNotJoined"}),
    "connected, and let in after a while": ({"ingestd_session_joined{%s}": f"1x82 0x{SAMPLES}"}, set()),
    "a token that ends the day after tomorrow": ({EXPIRY: f"200000x{SAMPLES}"}, {"IngestdTokenExpires"}),
    "a token that is renewed each hour": ({EXPIRY: f"4000x50 6000x{SAMPLES}"}, set()),
    "a token that is renewed no more": ({EXPIRY: f"3000x20 4200x{SAMPLES}"}, {"IngestdTokenExpires"}),
    "a token that was renewed late": ({EXPIRY: f"5000x85 1000000x{SAMPLES}"}, set()),
    "a token that does not say": ({EXPIRY: f"_x{SAMPLES}"}, set()),
    "a mute that the disk did not take": ({"ingestd_mute_unkept{%s}": f"1x{SAMPLES}"}, {"IngestdMuteNotKept"}),
    "a mute that the disk took slowly": ({"ingestd_mute_unkept{%s}": f"0x89 1x{SAMPLES}"}, set()),
    "a bad token": (
        {'ingestd_fault_active{area="session",fault="unauthorized",%s}': f"1x{SAMPLES}"},
        {"IngestdNeedsSomebody"},
    ),
    "a link that flaps": ({"ingestd_session_reconnects_total{%s}": f"0+0.3x{SAMPLES}"}, {"IngestdFlapping"}),
    "a crash now and then": ({"process_start_time_seconds{%s}": "1000x70 2000x40"}, set()),
    "crash after crash": (
        {"process_start_time_seconds{%s}": f"1000x50 2000x8 3000x8 4000x8 5000x8 6000x{SAMPLES}"},
        {"IngestdRestarting"},
    ),
    "the microphone is gone": (LOST, {"IngestdDeviceLost"}),
    "the microphone was pulled out for a moment": (
        {'ingestd_device_lost{device="capture",%s}': f"0x88 1x{SAMPLES}"},
        set(),
    ),
    "a microphone that gives nothing": (SILENT, set()),
    "much is made up": (
        {"ingestd_downlink_concealed_seconds_total{%s}": f"0+3x{SAMPLES}"},
        {"IngestdRoomAudioChoppy"},
    ),
    "much comes too late": (
        {"ingestd_downlink_dropped_seconds_total{%s}": f"0+3x{SAMPLES}"},
        {"IngestdRoomAudioChoppy"},
    ),
    "a speaker that runs empty": (
        {"ingestd_downlink_device_underruns_total{%s}": f"0+30x{SAMPLES}"},
        {"IngestdSpeakerStarving"},
    ),
    "frames that can't go out": (
        {"ingestd_uplink_dropped_frames_total{%s}": f"0+120x{SAMPLES}"},
        {"IngestdFramesDropped"},
    ),
    "audio that piles up": ({"ingestd_uplink_backlog_seconds{%s}": f"0.15x{SAMPLES}"}, {"IngestdUplinkBacklog"}),
    "a clock that is too slow": (
        {'ingestd_clock_drift_ratio{clock="capture",%s}': f"-0.0008x{SAMPLES}"},
        {"IngestdClockAbsurd"},
    ),
    "a bad configuration": ({"ingestd_config_last_good{%s}": f"1x{SAMPLES}"}, {"IngestdLastGoodConfig"}),
}


SILENT_IN: Final = {"IngestdMicrophoneSilent"}
HOUR: Final = 12
"""In samples of a case that takes hours."""
LONG_CASES: Final[dict[str, dict[str, Case]]] = {
    "11h": {"a mute": (MUTED, set()), "somebody hung up": (STANDBY, set())},
    "13h": {
        "a mute that was forgotten": (MUTED, {"IngestdMuted"}),
        "somebody hung up and forgot it": (STANDBY, {"IngestdLeftOnStandby"}),
    },
    "23h": {"a silent night": (SILENT, set())},
    "25h": {
        "a microphone that gives nothing": (SILENT, SILENT_IN),
        "a daemon that was started anew meanwhile": (
            {**SILENT, "process_start_time_seconds{%s}": f"1000x{20 * HOUR} 73000x{SAMPLES}"},
            set(),
        ),
        "nothing from a microphone, and the connection was lost twice": (
            {**SILENT, "ingestd_in_room{%s}": f"1x{9 * HOUR} 0 1x{9 * HOUR} 0 1x{SAMPLES}"},
            SILENT_IN,
        ),
        "nothing from a microphone that was muted meanwhile": (
            {**SILENT, "ingestd_uplink_muted{%s}": f"0x{9 * HOUR} 1x2 0x{SAMPLES}"},
            set(),
        ),
        "nothing from a microphone that is gone": ({**SILENT, **LOST}, {"IngestdDeviceLost"}),
        "nothing from a microphone, and no call is wanted": ({**SILENT, **STANDBY, **ON_DEMAND}, set()),
        "a word within a day": ({"ingestd_uplink_peak_dbfs{%s}": f"-96x{9 * HOUR} -20 -96x{SAMPLES}"}, set()),
    },
}
"""By when they are asked."""


def series(instance: str, changed: dict[str, str] | None = None) -> list[dict[str, str]]:
    labels = f'job="ingestd",instance="{instance}"'
    values = {**HEALTHY, **(changed or {})}
    return [{"series": name % labels, "values": text} for name, text in values.items()]


def judged(tmp_path: Path, tests: list[dict[str, Any]], every: str = "1m") -> None:
    """By `promtool test rules`: labels and annotations are not looked at, only who fires for whom."""
    names_only = tmp_path / "rules.yaml"
    rules = [
        {**{key: rule[key] for key in ("alert", "expr", "for") if key in rule}, "labels": {"device": "", "clock": ""}}
        for rule in ALERTS.values()
    ]
    names_only.write_text(json.dumps({"groups": [{"name": "ingestd", "rules": rules}]}))
    file = tmp_path / "tests.yaml"
    file.write_text(json.dumps({"rule_files": [str(names_only)], "evaluation_interval": every, "tests": tests}))
    promtool("test", "rules", file)


def asked(cases: Mapping[str, Case], at: str = AT, interval: str = "1m") -> dict[str, Any]:
    """As promtool takes it: each case is a device of that name, in one fleet with one that is well."""
    fleet = {"well": ({}, set()), **cases}
    extra = {
        "IngestdNeedsSomebody": {"area": "session", "fault": "unauthorized"},
        "IngestdLeftOnStandby": {"state": "standby"},
    }
    expected = [
        {
            "eval_time": at,
            "alertname": alert,
            "exp_alerts": [
                {"exp_labels": {"job": "ingestd", "instance": case, **extra.get(alert, {})}}
                for case, (_, fires) in fleet.items()
                if alert in fires
            ],
        }
        for alert in ALERTS
    ]
    assert all(set(changed) <= set(HEALTHY) for changed, _ in cases.values())
    found = [one for case, (changed, _) in fleet.items() for one in series(case, changed)]
    return {"interval": interval, "input_series": found, "alert_rule_test": expected}


@needs_promtool
def test_prometheus_takes_rules_and_example() -> None:
    assert "SUCCESS" in promtool("check", "rules", RULES)
    assert "SUCCESS" in promtool("check", "config", FOLDER / "scrape.yaml")


@needs_promtool
def test_each_alert_fires_in_its_case_and_in_no_other(tmp_path: Path) -> None:
    judged(tmp_path, [asked(CASES)])


@needs_promtool
def test_what_takes_hours(tmp_path: Path) -> None:
    """The same for alerts that wait for long, with a sample in five minutes: asked shortly before and after."""
    judged(tmp_path, [asked(cases, at, "5m") for at, cases in LONG_CASES.items()], every="5m")


@needs_promtool
def test_a_job_without_a_device(tmp_path: Path) -> None:
    nobody = asked({}) | {"input_series": []}
    for one in nobody["alert_rule_test"]:
        if one["alertname"] == "IngestdAllGone":
            one["exp_alerts"] = [{"exp_labels": {"job": "ingestd"}}]
    judged(tmp_path, [nobody])


def test_every_alert_has_its_case() -> None:
    tried = set().union(*(case[1] for cases in (CASES, *LONG_CASES.values()) for case in cases.values()))
    assert tried | {"IngestdAllGone"} == set(ALERTS)


def test_every_alert_says_how_grave_it_is_and_what_to_do() -> None:
    for rule in ALERTS.values():
        assert rule["labels"]["severity"] in ("page", "ticket", "note")
        assert set(rule["annotations"]) == {"summary", "description"}


def test_what_needs_somebody_is_what_does_not_pass_by_itself() -> None:
    (names,) = re.findall(r'fault=~"([^"]*)"', ALERTS["IngestdNeedsSomebody"]["expr"])
    own_alert = {"capture-lost", "playback-lost"}
    faults = {name for name, _, remedy in every_fault() if not remedy.startswith("Nothing to do")}
    assert set(names.split("|")) == faults - own_alert
