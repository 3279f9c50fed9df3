"""The dashboard: what the drawing says, and every query one that Prometheus understands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from tests.drawings.dashboard import DASHBOARD, drawn
from tests.rig.promtool import needs_promtool, promtool

BOARD: Final[dict[str, Any]] = json.loads(DASHBOARD.read_text())


def expressions() -> list[str]:
    """As Grafana sends them."""
    filled = {"$instance": "device-1:9465", "$__rate_interval": "1m"}
    found = [target["expr"] for panel in BOARD["panels"] for target in panel.get("targets", [])]
    for name, value in filled.items():
        found = [expr.replace(name, value) for expr in found]
    return found


def test_it_is_what_the_drawing_says() -> None:
    assert DASHBOARD.read_text() == drawn(), "run `python -m tests.drawings.dashboard`"


@needs_promtool
def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{number}", "expr": expr} for number, expr in enumerate(expressions())]
    file = tmp_path / "rules.yaml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", file)
    assert len(rules) > 40


def test_every_query_is_of_the_chosen_devices() -> None:
    assert all("$" not in expr and 'instance=~"device-1:9465"' in expr for expr in expressions())


def test_grafana_finds_source_and_devices() -> None:
    names = {variable["name"]: variable["type"] for variable in BOARD["templating"]["list"]}
    assert names == {"source": "datasource", "instance": "query"}
    for panel in BOARD["panels"]:
        if panel["type"] != "row":
            assert panel["datasource"] == {"type": "prometheus", "uid": "${source}"}
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])


def test_the_token_s_end_and_failures_by_cause_are_seen() -> None:
    asked = " ".join(expressions())
    assert "ingestd_token_expiry_timestamp_seconds" in asked
    assert "sum by (instance, fault) (increase(ingestd_attempts_failed_total" in asked


def test_no_panel_lies_on_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
