"""The daemon as a device has it: its modules as the package installs them, compiled before they are needed."""

from __future__ import annotations

import atexit
import functools
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

REPO: Final = Path(__file__).resolve().parents[2]
PROGRAM: Final = Path(sys.executable).with_name("ingestd")
"""The installed command. It takes its modules from where `environment` says."""


@functools.cache
def installed() -> Path:
    """A folder that holds the package `ingestd` without docstrings and comments; made once, gone with this process."""
    folder = Path(tempfile.mkdtemp(prefix="bench-installed-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    package = folder / "ingestd"
    shutil.copytree(REPO / "ingestd", package, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run([sys.executable, REPO / "debian/blank-prose", package], check=True)
    subprocess.run([sys.executable, "-m", "compileall", "-q", package, REPO / "tests/bench"], check=True)
    return folder


def environment() -> dict[str, str]:
    """What a process needs to find those modules, and the bench's own."""
    return {"PYTHONPATH": f"{installed()}:{REPO}"}
