"""The alert on ingestd-hooks fires where the unit does not run, but for one that somebody stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import yaml

from tests.rig.promtool import needs_promtool, promtool

RULES: Final = Path(__file__).parents[2] / "etc/prometheus/ingestd-hooks.rules.yaml"
STATES: Final = ("active", "activating", "failed", "inactive")
RUNS, DEAD, STOPPED = "active", "failed", "inactive"
CASES: Final[dict[str, tuple[list[str], bool]]] = {
    "it runs": ([RUNS] * 60, False),
    "a restart": ([RUNS] * 57 + ["activating"] + [RUNS] * 2, False),
    "a faulty configuration": ([RUNS] * 30 + [DEAD] * 30, True),
    "it crashes again and again": (["activating", "activating", RUNS] * 20, True),
    "somebody stopped it": ([RUNS] * 30 + [STOPPED] * 30, False),
    "no such unit": ([], False),
}
"""The unit's state, minute by minute, by the device; and whether the alert fires after an hour."""


def series(device: str, states: list[str]) -> list[dict[str, str]]:
    """As node_exporter has it."""
    labels = f'job="node",instance="{device}",name="ingestd-hooks.service",type="exec"'
    return [
        {
            "series": f'node_systemd_unit_state{{{labels},state="{state}"}}',
            "values": " ".join(str(int(state == now)) for now in states),
        }
        for state in STATES
        if states
    ]


def labels(device: str) -> dict[str, Any]:
    known = {"job": "node", "instance": device, "name": "ingestd-hooks.service", "type": "exec", "state": "active"}
    return {"exp_labels": {**known, "severity": "ticket"}}


@needs_promtool
def test_it_fires_in_its_cases_and_in_no_other(tmp_path: Path) -> None:
    (rule,) = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    assert "SUCCESS" in promtool("check", "rules", RULES)
    rules, file = tmp_path / "rules.yaml", tmp_path / "tests.yaml"
    assert set(rule.pop("annotations")) == {"summary", "description"}
    rules.write_text(json.dumps({"groups": [{"name": "hooks", "rules": [rule]}]}))
    firing = [labels(device) for device, (_, fires) in CASES.items() if fires]
    asked = {
        "interval": "1m",
        "input_series": [one for device, (states, _) in CASES.items() for one in series(device, states)],
        "alert_rule_test": [{"eval_time": "59m", "alertname": rule["alert"], "exp_alerts": firing}],
    }
    file.write_text(json.dumps({"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": [asked]}))
    promtool("test", "rules", file)
