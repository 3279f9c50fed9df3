"""ingestctl where the terminal's encoding can't hold a stranger's letters: they are replaced, and nothing breaks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.control_case import STATUS, Control, control

NARROW = {
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "ascii": {"PYTHONIOENCODING": "ascii"},
}
NAME = "Зал Ω"


def run(served: Control, environment: dict[str, str], *arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "ingestd.ctl.main", "--socket", served.path, *arguments]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, timeout=30)


@pytest.mark.parametrize("encoding", NARROW)
def test_no_command_breaks(encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / f"{NAME}.yaml"
    config.write_text("")
    monkeypatch.setitem(STATUS, "reason", NAME)
    with control(tmp_path) as served:
        commands: dict[tuple[str | Path, ...], tuple[int, ...]] = {
            ("status",): (0,),
            ("--json", "status"): (0,),
            ("devices", "--config", config): (0, 1),
            ("setup", "--config", config): (1,),
            ("--socket", config, "status"): (3,),
        }
        for command, expected in commands.items():
            done = run(served, NARROW[encoding], *command)
            assert b"Traceback" not in done.stderr, f"{command}: {done.stderr.decode()}"
            assert done.returncode in expected, f"{command}: {done.stderr.decode()}"
            assert (done.stdout + done.stderr).isascii()
            assert done.stdout or done.stderr


@pytest.mark.parametrize("encoding", NARROW)
def test_json_is_the_same_json(encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STATUS, "reason", f"{NAME} \ud800")
    with control(tmp_path) as served:
        for environment in (NARROW[encoding], {"PYTHONIOENCODING": "utf-8"}):
            done = run(served, environment, "--json", "status")
            assert done.returncode == 0, done.stderr.decode()
            shown = json.loads(done.stdout)["reason"]
            assert shown.startswith(NAME)
