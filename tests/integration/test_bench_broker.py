"""The bench of the session broker, run for seconds: it measures what it says it measures."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from tests.bench.broker import broker_report
from tests.bench.broker.coming_back import Return
from tests.bench.broker.fleet import Attempt, Fleet, Order
from tests.bench.broker.responder import Responder
from tests.bench.installed import REPO
from tests.rig.free_port import free_port
from tests.rig.postgres import needs_postgres


def bench(tmp_path: Path, *more: str) -> dict[str, float]:
    """The figures of a quick run, without `quick_broker_`."""
    path = tmp_path / "broker.json"
    line: list[str | Path] = [sys.executable, "-m", "tests.bench", "broker", "--quick", "--json", path, *more]
    ran = subprocess.run(line, cwd=REPO, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = json.loads(path.read_text())
    assert found["bounds"] == {}, "seconds prove nothing"
    return {name.removeprefix("quick_broker_"): value for name, value in found["figures"].items()}


@needs_postgres
@pytest.mark.alone  # beside others fewer are answered
def test_sessions_are_counted_and_timed(tmp_path: Path) -> None:
    figures = bench(tmp_path, "--part", "rates", "--seconds", "0.5")
    for name in ("sqlite", "replicas"):
        assert figures[f"{name}_sessions_per_s"] > 20
        assert figures[f"{name}_not_answered_200"] == figures[f"{name}_half_not_answered_200"] == 0
        assert 0 < figures[f"{name}_p50_ms"] <= figures[f"{name}_p95_ms"] <= figures[f"{name}_p99_ms"]
        assert figures[f"{name}_cpu_ms_per_session"] > 0.2
        assert (figures[f"{name}_database_cpu_ms_per_session"] > 0) == (name == "replicas")
    assert figures["slow_service_sessions_per_s"] < 200, "20 at a time, each of 100 ms and more"
    assert figures["slow_service_p95_ms"] > 100
    assert figures["responder_alone_per_s"] > figures["standin_alone_per_s"] > 0


@needs_postgres
@pytest.mark.full
@pytest.mark.alone
@pytest.mark.timeout(180)
def test_the_rest_of_it_runs(tmp_path: Path) -> None:
    figures = bench(tmp_path)
    for name in ("sqlite_cut", "sqlite_outage", "replicas_cut", "replicas_outage"):
        assert figures[f"{name}_answers_5xx"] == 0
        assert 0 < figures[f"{name}_half_back_s"] <= figures[f"{name}_p95_back_s"] <= figures[f"{name}_all_back_s"]
    for name in ("sqlite", "postgresql", "postgresql_server"):
        assert figures[f"kills_{name}_faults"] == figures[f"kills_{name}_unsound"] == 0
        assert figures[f"kills_{name}_webhooks_acknowledged"] > 10


# --- a fleet that comes back


@pytest.mark.waits
def test_a_fleet_asks_until_each_device_has_a_session(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("\n".join(f"key-{number}" for number in range(20)))
    public_key = tmp_path / "public.pem"
    public_key.write_text("a key")
    with Responder(public_key, delay_ms=20) as responder:
        there = ("127.0.0.1", int(responder.url.rpartition(":")[2]))
        nobody = ("127.0.0.1", free_port())
        # Whose attempts come to the one is a matter of moments; to come to it again and again would take minutes.
        order = Order(addresses=[*[there] * 9, nobody], keys_file=str(keys), devices=20, within_s=30.0)
        attempts = Fleet(order).attempts()
    assert sorted(one.device for one in attempts if one.status == 200) == list(range(20)), "each once"
    assert all(one.took_s >= 0.02 for one in attempts if one.status == 200)
    assert {one.status for one in attempts} == {0, 200}, "every tenth attempt goes to where nobody is"


def test_what_became_of_a_fleet_is_told() -> None:
    attempts = [
        Attempt(0, 5.0, 0.1, 0, None),
        Attempt(1, 11.0, 0.1, 429, 7.0),
        Attempt(2, 11.5, 0.1, 503, None),
        Attempt(0, 12.0, 0.5, 200, None),
        Attempt(2, 12.5, 0.1, 0, None),
        Attempt(1, 19.0, 1.0, 200, None),
    ]
    back = Return(3, 10.0, 10.5, attempts)
    assert back.back_s == [2.5, 10.0]
    assert back.back_within_s(0.5) == 10.0
    assert back.all_back_s == back.back_within_s(1.0) == math.inf, "one never came back"
    assert (back.faults, back.unanswered, back.told_s, back.count(429)) == (1, 1, [7.0], 1)
    assert back.most_per_s == 2
    assert Return(2, 10.0, 10.5, attempts).all_back_s == 10.0


def test_a_table_loses_no_number_at_80_columns(tmp_path: Path) -> None:
    back = Return(1, 10.0, 10.5, [Attempt(0, 12.0, 0.5, 200, None)])
    with (tmp_path / "screen").open("w") as file:
        broker_report.show_returns(Console(file=file, width=80), {"sqlite_cut": back, "replicas_outage": back}, 60.0)
    screen = (tmp_path / "screen").read_text()
    assert "one broker, SQLite, cut" in screen
    assert "away for 60 s" in screen
    assert "…" not in screen
