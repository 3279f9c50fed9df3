"""Draws etc/grafana/ingestd.json: a dashboard of one device, or of a fleet, for Grafana 10 and later.

`python -m tests.drawings.dashboard` writes it; `--check` only says whether it would.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

DASHBOARD: Final = Path(__file__).resolve().parents[2] / "etc/grafana/ingestd.json"
_SOURCE: Final = {"type": "prometheus", "uid": "${source}"}
_OF: Final = 'instance=~"$instance"'
_WIDTH: Final = 24

Query = tuple[str, str]
"""Expression, in which %s stands for the choice of devices, and the legend."""


def _panel(
    kind: str, title: str, unit: str, width: int, height: int, *queries: Query, help: str = ""
) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + n), "datasource": _SOURCE, "expr": expr.replace("%s", _OF), "legendFormat": legend}
        for n, (expr, legend) in enumerate(queries)
    ]
    return {
        "type": kind,
        "title": title,
        "description": help,
        "datasource": _SOURCE,
        "gridPos": {"w": width, "h": height, "x": 0, "y": 0},
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
        "options": {},
        "targets": targets,
    }


def _graph(title: str, unit: str, *queries: Query, help: str = "") -> dict[str, Any]:
    panel = _panel("timeseries", title, unit, 12, 8, *queries, help=help)
    panel["options"] = {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}}
    return panel


def _number(title: str, unit: str, expr: str, *, bad_from: float, help: str = "") -> dict[str, Any]:
    panel = _panel("stat", title, unit, 4, 4, (expr, ""), help=help)
    panel["fieldConfig"]["defaults"]["thresholds"] = {
        "mode": "absolute",
        "steps": [{"color": "green", "value": None}, {"color": "red", "value": bad_from}],
    }
    panel["options"] = {"colorMode": "background", "reduceOptions": {"calcs": ["lastNotNull"]}}
    return panel


def _timeline(title: str, *queries: Query, help: str = "") -> dict[str, Any]:
    panel = _panel("state-timeline", title, "none", 24, 6, *queries, help=help)
    panel["options"] = {"mergeValues": True, "showValue": "never"}
    return panel


def _table(title: str, expr: str, help: str) -> dict[str, Any]:
    panel = _panel("table", title, "none", 24, 6, (expr, ""), help=help)
    panel["targets"][0] |= {"format": "table", "instant": True}
    hidden = {"Time": True, "Value": True, "__name__": True, "job": True}
    panel["transformations"] = [{"id": "organize", "options": {"excludeByName": hidden}}]
    return panel


def _row(title: str) -> dict[str, Any]:
    return {
        "type": "row",
        "title": title,
        "collapsed": False,
        "panels": [],
        "gridPos": {"w": 24, "h": 1, "x": 0, "y": 0},
    }


PANELS: Final = (
    _number("Devices", "none", "count(ingestd_build_info{%s})", bad_from=1e9),
    _number(
        "Out of the room",
        "none",
        "count((ingestd_in_room{%s} == 0) unless on (job, instance) "
        '(ingestd_state{state="standby",%s} == 1)) or vector(0)',
        bad_from=1,
        help="Those on standby are not counted: no call is wanted there.",
    ),
    _number("Sound devices lost", "none", "sum(ingestd_device_lost{%s})", bad_from=1),
    _number("Muted", "none", "sum(ingestd_uplink_muted{%s})", bad_from=1e9),
    _number("Reconnects in a day", "none", "sum(increase(ingestd_session_reconnects_total{%s}[1d]))", bad_from=50),
    _number("On an old configuration", "none", "sum(ingestd_config_last_good{%s})", bad_from=1),
    _timeline("State", ("ingestd_state{%s} == 1", "{{instance}} {{state}}"), help="Which state each device is in."),
    _table(
        "What is wrong now",
        "ingestd_fault_active{%s} == 1",
        "`journalctl -u ingestd -x` on the device says what each fault means and what helps.",
    ),
    _row("Connection"),
    _graph("Round trip", "s", ("ingestd_session_round_trip_seconds{%s}", "{{instance}}")),
    _graph(
        "Reconnects and renewals, by the hour",
        "none",
        ("increase(ingestd_session_reconnects_total{%s}[1h])", "{{instance}} reconnects"),
        ("increase(ingestd_session_renewals_total{%s}[1h])", "{{instance}} renewals"),
    ),
    _graph(
        "Age of the session",
        "s",
        ("time() - ingestd_session_start_time_seconds{%s}", "{{instance}}"),
    ),
    _graph(
        "Others in the room",
        "none",
        ("ingestd_room_others{%s}", "{{instance}}"),
    ),
    _graph(
        "Failures by cause, by the hour",
        "none",
        ("sum by (instance, fault) (increase(ingestd_attempts_failed_total{%s}[1h])) > 0", "{{instance}} {{fault}}"),
        help="Attempts at a session, and connections. `journalctl -u ingestd -x` on the device explains each.",
    ),
    _graph(
        "Until the token expires",
        "s",
        ("ingestd_token_expiry_timestamp_seconds{%s} - time()", "{{instance}}"),
        help="Of tokens that are JWTs and say so.",
    ),
    _row("To the room"),
    _graph(
        "Loudness of the microphone",
        "dB",
        ("ingestd_uplink_level_dbfs{%s}", "{{instance}}"),
        ("ingestd_uplink_peak_dbfs{%s}", "{{instance}} peak"),
        help="dB below full scale, after gain, at the moments that Prometheus looked. A mute is not seen here.",
    ),
    _graph(
        "Frames per second",
        "none",
        ("rate(ingestd_uplink_frames_total{%s}[$__rate_interval])", "{{instance}} sent"),
        ("rate(ingestd_uplink_silence_frames_total{%s}[$__rate_interval])", "{{instance}} of them for want of a mic"),
        ("rate(ingestd_uplink_dropped_frames_total{%s}[$__rate_interval])", "{{instance}} dropped"),
        help="50 a second go out while the device is in the room, muted or not; silence for want of a microphone, too.",
    ),
    _graph(
        "From the last sample to the network",
        "s",
        ("ingestd_uplink_latency_median_seconds{%s}", "{{instance}} median"),
        ("ingestd_uplink_latency_p95_seconds{%s}", "{{instance}} 95 %"),
        ("ingestd_uplink_backlog_seconds{%s}", "{{instance}} backlog"),
        help="Median and 95 % are since the daemon's start.",
    ),
    _graph(
        "Microphone: samples lost, samples too loud",
        "none",
        ("increase(ingestd_uplink_overruns_total{%s}[1h])", "{{instance}} losses by the hour"),
        ("rate(ingestd_uplink_clipped_samples_total{%s}[$__rate_interval])", "{{instance}} clipped a second"),
    ),
    _row("From the room"),
    _graph(
        "Loudness of the speaker",
        "dB",
        ("ingestd_downlink_level_dbfs{%s}", "{{instance}}"),
        ("ingestd_downlink_peak_dbfs{%s}", "{{instance}} peak"),
    ),
    _graph(
        "Delay of room audio",
        "s",
        ("ingestd_downlink_delay_seconds{%s}", "{{instance}} held back"),
        ("ingestd_downlink_target_delay_seconds{%s}", "{{instance}} meant to be"),
        ("ingestd_playback_queued_seconds{%s}", "{{instance}} in the sound card"),
    ),
    _graph(
        "Made up, thrown away",
        "percentunit",
        ("rate(ingestd_downlink_concealed_seconds_total{%s}[$__rate_interval])", "{{instance}} made up"),
        ("rate(ingestd_downlink_dropped_seconds_total{%s}[$__rate_interval])", "{{instance}} thrown away"),
        help="Share of the time.",
    ),
    _graph(
        "Shortened, lengthened, run empty",
        "none",
        ("rate(ingestd_downlink_accelerations_total{%s}[$__rate_interval])", "{{instance}} shortened a second"),
        ("rate(ingestd_downlink_expansions_total{%s}[$__rate_interval])", "{{instance}} lengthened a second"),
        ("increase(ingestd_downlink_underruns_total{%s}[1h])", "{{instance}} ran out, by the hour"),
        ("increase(ingestd_downlink_device_underruns_total{%s}[1h])", "{{instance}} sound card empty, by the hour"),
    ),
    _row("Clocks, messages, process"),
    _graph(
        "Clocks against the device's own",
        "ppm",
        ("ingestd_clock_drift_ratio{%s} * 1e6", "{{instance}} {{clock}}"),
    ),
    _graph(
        "Messages a second",
        "none",
        ("rate(ingestd_messages_received_total{%s}[$__rate_interval])", "{{instance}} received"),
        ("rate(ingestd_messages_sent_total{%s}[$__rate_interval])", "{{instance}} sent"),
        ("rate(ingestd_messages_expired_total{%s}[$__rate_interval])", "{{instance}} expired"),
        ("sum by (instance) (rate(ingestd_inbound_refused_total{%s}[$__rate_interval]))", "{{instance}} refused"),
    ),
    _graph(
        "CPU",
        "percentunit",
        ("rate(process_cpu_seconds_total{%s}[$__rate_interval])", "{{instance}}"),
    ),
    _graph("Memory", "bytes", ("process_resident_memory_bytes{%s}", "{{instance}}")),
)


def _placed() -> list[dict[str, Any]]:
    """Side by side while there is room, then below."""
    x = y = tallest = 0
    placed = []
    for number, panel in enumerate(PANELS, 1):
        size = panel["gridPos"]
        if x + size["w"] > _WIDTH:
            x, y, tallest = 0, y + tallest, 0
        placed.append({**panel, "id": number, "gridPos": {**size, "x": x, "y": y}})
        x, tallest = x + size["w"], max(tallest, size["h"])
    return placed


def _variables() -> list[dict[str, Any]]:
    query = "label_values(ingestd_build_info, instance)"
    return [
        {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
        {
            "name": "instance",
            "label": "Device",
            "type": "query",
            "datasource": _SOURCE,
            "query": {"query": query, "refId": "instances"},
            "definition": query,
            "refresh": 2,
            "sort": 1,
            "multi": True,
            "includeAll": True,
            "current": {"text": "All", "value": "$__all"},
        },
    ]


def drawn() -> str:
    """The whole dashboard."""
    dashboard = {
        "title": "ingestd",
        "uid": "ingestd",
        "description": "Field devices in their rooms: connection, sound both ways, clocks, faults.",
        "tags": ["ingestd"],
        "schemaVersion": 38,
        "version": 1,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": _variables()},
        "panels": _placed(),
    }
    return json.dumps(dashboard, indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    """Exit 1 with --check where the file is another."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    arguments = parser.parse_args()
    if arguments.check:
        return int(not DASHBOARD.exists() or DASHBOARD.read_text() != drawn())
    DASHBOARD.write_text(drawn())
    return 0


if __name__ == "__main__":
    sys.exit(main())
