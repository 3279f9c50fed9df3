"""What Prometheus gets, of one process and of several."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from ingestd import __version__
from ingestd.broker.devices import NewDevice, Registry
from ingestd.broker.figures import OUTCOMES, PUT_OFF, Figures
from ingestd.broker.storage import Storage
from tests.rig.promtool import needs_promtool, promtool
from tests.unit.broker.filled import fill

PREFIX = "ingestd_broker_"
Samples = dict[tuple[str, ...], float]


def samples(told: bytes) -> Samples:
    """Every value by its name and its labels' values."""
    return {
        (sample.name.removeprefix(PREFIX), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(told.decode())
        for sample in family.samples
    }


def test_everything_that_is_counted_is_there_from_the_start() -> None:
    told = samples(Figures(None).text())
    for status in ("2xx", "429", "4xx", "5xx"):
        assert told["sessions_total", status] == 0
        assert told["service_answers_total", status] == 0
    assert told["service_answers_total", "none"] == 0
    for outcome in OUTCOMES:
        assert told["webhooks_total", outcome] == 0
    for reason in PUT_OFF:
        assert told["sessions_put_off_total", reason] == 0
    assert told["keys_refused_total",] == told["tokens_refused_total",] == told["session_seconds_count",] == 0
    assert told["build_info", __version__] == 1


def test_what_is_counted_is_told() -> None:
    figures = Figures(None)
    for status, reason in ((200, None), (200, None), (400, "bad-request"), (503, "database"), (504, None), (402, None)):
        figures.session(status, 0.03, reason)
    for reason in ("rate-limited", "rate-limited", "busy", "service-busy", None):
        figures.session(429, 20.0, reason)
    for outcome in (*OUTCOMES, "stored"):
        figures.webhook(outcome)
    for status in (200, 404, 429, 500, 0, 0):
        figures.service_answered(status)
    figures.key_refused()
    figures.token_refused()
    told = samples(figures.text())
    sessions = {labels[0]: value for (name, *labels), value in told.items() if name == "sessions_total"}
    assert sessions == {"2xx": 2, "4xx": 2, "429": 5, "5xx": 2}
    put_off = {labels[0]: value for (name, *labels), value in told.items() if name == "sessions_put_off_total"}
    assert put_off == {"rate-limited": 2, "busy": 1, "service": 2}
    assert told["webhooks_total", "stored"] == 2
    assert told["webhooks_total", "unverified"] == 1
    answers = {labels[0]: value for (name, *labels), value in told.items() if name == "service_answers_total"}
    assert answers == {"2xx": 1, "4xx": 1, "429": 1, "5xx": 1, "none": 2}
    assert told["session_seconds_count",] == 11
    assert told["session_seconds_bucket", "0.05"] == 6
    assert told["session_seconds_bucket", "10.0"] == 6
    assert told["keys_refused_total",] == told["tokens_refused_total",] == 1


def test_what_the_database_says_is_read_at_each_scrape(storage: Storage) -> None:
    figures = Figures(storage)
    assert samples(figures.text())["devices",] == 0
    fill(storage, 5, 3)
    Registry(storage, time.time).add(NewDevice("one-more"))
    told = samples(figures.text())
    stored = {
        name: told[name,] for name in ("devices", "devices_enabled", "devices_live", "session_rows", "event_rows")
    }
    assert stored == {"devices": 6, "devices_enabled": 3, "devices_live": 5, "session_rows": 15, "event_rows": 15}
    assert told["database_up",] == 1


def test_a_database_that_fails_leaves_the_counts(storage: Storage) -> None:
    figures = Figures(storage)
    figures.key_refused()
    with storage.writing() as connection:
        connection.execute(text("ALTER TABLE events RENAME TO elsewhere"))
    told = samples(figures.text())
    assert told["database_up",] == 0
    assert told["keys_refused_total",] == 1
    assert ("devices",) not in told


@needs_promtool
def test_prometheus_finds_nothing_wrong(storage: Storage) -> None:
    fill(storage, 3, 2)
    figures = Figures(storage)
    figures.session(429, 0.1, "busy")
    assert promtool("check", "metrics", stdin=figures.text()).strip() == ""


def test_no_name_of_a_device_or_a_room_is_told(storage: Storage) -> None:
    Registry(storage, time.time).add(NewDevice("north-gate", room_id="secret-room"))
    assert not re.search(rb"north-gate|secret-room", Figures(storage).text())


WORKERS = """
import os, sys
from ingestd.broker.compose import Figures  # the library is loaded before anybody knows how many workers there are
os.environ["PROMETHEUS_MULTIPROC_DIR"] = sys.argv[1]
for worker in range(3):
    pid = os.fork()
    if pid == 0:
        figures = Figures(None)
        for _ in range(worker + 1):
            figures.session(200, 0.01)
            figures.webhook("stored")
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    from ingestd.broker.figures import forget_process
    forget_process(pid)
figures = Figures(None)
figures.session(429, 0.01, "busy")
sys.stdout.buffer.write(figures.text())
"""


def test_one_of_several_workers_tells_for_all(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
    done = subprocess.run([sys.executable, "-c", WORKERS, tmp_path], env=environment, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    told = samples(done.stdout)
    assert told["sessions_total", "2xx"] == 6  # those of workers that have ended, too
    assert told["webhooks_total", "stored"] == 6
    assert told["sessions_put_off_total", "busy"] == 1
    assert told["session_seconds_count",] == 7
    assert told["keys_refused_total",] == 0
    assert told["build_info", __version__] == 1


def test_a_worker_that_has_just_begun_takes_no_figures_from_the_others(tmp_path: Path) -> None:
    (tmp_path / "counter_1.db").touch()  # so it is for a moment, and for good where the worker is killed in that moment
    done = subprocess.run([sys.executable, "-c", WORKERS, tmp_path], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    assert samples(done.stdout)["sessions_total", "2xx"] == 6


@needs_promtool
def test_prometheus_finds_nothing_wrong_with_several_workers(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", WORKERS, tmp_path], capture_output=True, timeout=60)
    assert promtool("check", "metrics", stdin=done.stdout).strip() == ""
