"""The one shape of figures, and the session's own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.rig.figures import Figures

pytestmark = pytest.mark.timeout(300)  # sessions of their own, each of which imports all that these tests do

ROOT = Path(__file__).parents[2]


def test_the_shape(tmp_path: Path) -> None:
    figures = Figures()
    assert figures.add("frames", 1500)
    assert figures.add("uplink_gap_p99_ms", 21.5, max=24)
    assert not figures.add("speech_correlation", 0.5, min=0.9)
    assert figures.add("level_dbfs", -20, min=-30, max=-10)
    assert not figures.met
    figures.write(tmp_path / "new" / "out.json")
    assert json.loads((tmp_path / "new" / "out.json").read_text()) == {
        "figures": {"frames": 1500, "uplink_gap_p99_ms": 21.5, "speech_correlation": 0.5, "level_dbfs": -20},
        "bounds": {
            "uplink_gap_p99_ms": {"max": 24, "met": True},
            "speech_correlation": {"min": 0.9, "met": False},
            "level_dbfs": {"max": -10, "min": -30, "met": True},
        },
    }


def test_a_bound_is_met_at_its_end() -> None:
    figures = Figures()
    assert figures.add("lost_frames", 0, max=0)
    assert figures.add("frames", 10, min=10)
    assert figures.met


def test_what_could_not_be_measured_is_null_and_meets_no_bound() -> None:
    figures = Figures()
    assert not figures.add("gap_ms", float("nan"), max=10)
    assert not figures.add("rate_hz", float("inf"), min=10)
    assert figures.as_json()["figures"] == {"gap_ms": None, "rate_hz": None}


def test_a_later_value_replaces_an_earlier_one_and_its_bound() -> None:
    figures = Figures()
    figures.add("gap_ms", 20, max=10)
    figures.add("gap_ms", 20)
    assert figures.met
    assert figures.as_json()["bounds"] == {}


def test_the_table_is_for_a_person() -> None:
    figures = Figures()
    assert figures.table() == ""
    figures.add("frames", 1500)
    figures.add("gap_ms", 30.25, max=24)
    lines = figures.table().splitlines()
    assert lines[0].split() == ["frames", "1,500"]
    assert lines[1].split() == ["gap_ms", "30.25", "MISSED", "≤", "24"]


def session(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the tests that stand in that folder, with figures to `out.json` there."""
    options = ["-p", "tests.conftest", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", str(tmp_path)]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--figures-json", tmp_path / "out.json", *arguments, tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_a_session_writes_its_figures_and_fails_on_a_missed_bound(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(figures):\n    figures.add('gap_ms', 30, max=24)\n")
    done = session(tmp_path)
    assert done.returncode == 1
    assert "1 passed" in done.stdout
    assert "MISSED ≤ 24" in done.stdout
    assert json.loads((tmp_path / "out.json").read_text())["bounds"] == {"gap_ms": {"max": 24, "met": False}}


def test_a_session_of_several_processes_has_the_figures_of_all(tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text("def test_it(figures):\n    figures.add('gap_ms', 30, max=24)\n")
    (tmp_path / "test_two.py").write_text("def test_it(figures):\n    figures.add('lost_s', float('nan'))\n")
    done = session(tmp_path, "-n", "2")
    assert done.returncode == 1
    assert "2 passed" in done.stdout
    assert "MISSED ≤ 24" in done.stdout
    assert json.loads((tmp_path / "out.json").read_text()) == {
        "figures": {"gap_ms": 30, "lost_s": None},
        "bounds": {"gap_ms": {"max": 24, "met": False}},
    }


MARKED = """
import pytest

def test_measures(figures): pass

@pytest.mark.undisturbed
def test_measures_what_nobody_can_disturb(figures): pass

@pytest.mark.waits
def test_measures_while_it_waits(figures): pass

@pytest.mark.waits
@pytest.mark.full
def test_measures_for_minutes_while_it_waits(figures): pass

@pytest.mark.full
def test_measures_for_minutes(figures): pass

@pytest.mark.full
def test_takes_minutes(): pass

@pytest.mark.calm
def test_measures_a_sleeper(figures): pass

def test_measures_nothing(): pass
"""


def test_what_may_run_beside_what(tmp_path: Path) -> None:
    """Each test has one of the ways of scripts/test, so that none is run twice or not at all."""
    (tmp_path / "test_it.py").write_text(MARKED)

    def those(way: str) -> list[str]:
        said = session(tmp_path, "-q", "--collect-only", "-m", way).stdout
        return [line.rpartition("::")[2] for line in said.splitlines() if "::" in line]

    ways = re.findall(r'^part \d+ "([^"]+)"', (ROOT / "scripts/test").read_text(), re.MULTILINE)
    assert {way: those(way) for way in ways} == {
        "alone": ["test_measures", "test_measures_for_minutes"],
        "waits and not alone": ["test_measures_while_it_waits", "test_measures_for_minutes_while_it_waits"],
        "calm and not alone": ["test_measures_a_sleeper"],
        "not alone and not waits and not calm": [
            "test_measures_what_nobody_can_disturb",
            "test_takes_minutes",
            "test_measures_nothing",
        ],
    }


def test_the_figures_of_several_sessions_are_joined(tmp_path: Path) -> None:
    one, two = Figures(), Figures()
    one.add("gap_ms", 30, max=24)
    two.add("frames", 1500)
    paths = [tmp_path / "one.json", tmp_path / "two.json"]
    one.write(paths[0])
    two.write(paths[1])
    subprocess.run(
        [sys.executable, "-m", "tests.rig.figures", tmp_path / "new" / "all.json", *paths], cwd=ROOT, check=True
    )
    assert json.loads((tmp_path / "new" / "all.json").read_text()) == {
        "figures": {"gap_ms": 30, "frames": 1500},
        "bounds": {"gap_ms": {"max": 24, "met": False}},
    }


def test_numbers_of_numpy_are_written_too(tmp_path: Path) -> None:
    figures = Figures()
    assert figures.add("some_ms", np.float64(1.5), max=2)
    figures.write(tmp_path / "figures.json")
    assert json.loads((tmp_path / "figures.json").read_text())["bounds"]["some_ms"] == {"max": 2, "met": True}
