"""The service's unit: systemd takes every line of it that it is old enough, or new enough, to know."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ingestd.__main__ import EXIT_CONFIG

UNIT = Path(__file__).parents[2] / "systemd/ingestd.service"
IGNORED_BEFORE_254 = ("notify-reload", "RestartSteps", "RestartMaxDelaySec")


def values(key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", UNIT.read_text(), re.MULTILINE)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_finds_no_fault_in_it(tmp_path: Path) -> None:
    text = UNIT.read_text()
    for pattern, instead in ((r"^ExecStart=.*$", "ExecStart=/bin/true"), (r"^Documentation=.*$", "")):
        text, count = re.subn(pattern, instead, text, flags=re.MULTILINE)  # they need not be installed here
        assert count == 1
    unit = tmp_path / UNIT.name
    unit.write_text(text)
    told = subprocess.run(
        ["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=60, check=True
    ).stderr
    faults = [line for line in told.splitlines() if not any(key in line for key in IGNORED_BEFORE_254)]
    assert faults == []


def test_every_systemd_can_reload_it() -> None:
    assert values("Type") == ["notify", "notify-reload"], "the last that is known holds"
    assert values("ExecReload") == ["/bin/kill -HUP $MAINPID"]


def test_it_is_started_again_after_any_end_but_a_bad_configuration() -> None:
    assert values("Restart") == ["always"]
    assert values("RestartPreventExitStatus") == [str(EXIT_CONFIG)]
    assert values("StartLimitIntervalSec") == ["0"]
