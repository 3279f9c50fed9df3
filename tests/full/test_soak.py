"""Five minutes of faults at random: every promise that so short a run can judge is kept."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rig.figures import Figures

_ROOT = Path(__file__).parents[2]


@pytest.mark.full
@pytest.mark.timeout(900)
def test_five_minutes_of_faults(tmp_path: Path, figures: Figures) -> None:
    out = tmp_path / "out.json"
    command = [sys.executable, "-m", "tests.soak", "--minutes", "5", "--json", str(out), "--out", str(tmp_path)]
    shown = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=800)
    print(shown.stdout)  # with the seed, for whoever has to look into a failure
    assert out.exists(), shown.stderr
    measured = json.loads(out.read_text())
    for name, value in measured["figures"].items():
        bound = measured["bounds"].get(name, {})
        figures.add(name, float("nan") if value is None else value, max=bound.get("max"), min=bound.get("min"))
    assert shown.returncode == 0, shown.stdout + shown.stderr
