"""Prometheus' own judge of metrics and rules, as `scripts/setup` fetches it; tests are skipped without."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

_FETCHED: Final = Path(sys.executable).with_name("promtool")
PROMTOOL: Final = str(_FETCHED) if _FETCHED.exists() else shutil.which("promtool")
needs_promtool: Final = pytest.mark.skipif(
    PROMTOOL is None, reason="needs promtool, which scripts/setup takes out of Debian's package prometheus"
)


def promtool(*arguments: str | Path, stdin: bytes = b"") -> str:
    """What it says; fails the test by that where it finds a fault."""
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, *map(str, arguments)], input=stdin, capture_output=True, timeout=60, check=False)
    told = (done.stdout + done.stderr).decode()
    if done.returncode:
        pytest.fail(f"promtool {arguments[0]}: {told}", pytrace=False)
    return told
