"""The lower bounds in setup.cfg are promises too: everything runs on the oldest libraries they allow."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = (
    "tests/unit",
    "tests/integration/test_command.py",
    "tests/integration/test_demo.py",
    "tests/integration/test_hostile_server.py",
    "tests/integration/test_tls_duplex.py",
)


def oldest() -> list[str]:
    """Every run-time library at its lower bound."""
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(ROOT / "setup.cfg")
    wanted = settings["options"]["install_requires"].split("\n")
    found = [re.match(r"([\w-]+) >=([\d.]+)", line) for line in wanted if line and not line.startswith("#")]
    return [f"{match[1]}=={match[2]}" for match in found if match]


def test_every_library_has_a_lower_bound() -> None:
    assert len(oldest()) == 5


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_everything_runs_on_the_oldest_libraries(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    subprocess.run([sys.executable, "-m", "venv", str(clone / ".venv")], check=True)
    python = clone / ".venv/bin/python"
    installed = subprocess.run(
        [str(python), "-m", "pip", "install", "-q", "-e", ".[test]", *oldest()], cwd=clone, capture_output=True, text=True
    )
    assert installed.returncode == 0, installed.stderr
    command = [str(python), "-m", "pytest", "-q", "-m", "not full", "--ignore", "tests/unit/test_lint.py", *TESTS]
    done = subprocess.run(command, cwd=clone, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:]
