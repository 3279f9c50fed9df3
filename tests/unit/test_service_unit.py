"""The units: what systemd is told of restarts, reloads and conditions, and that their manual pages are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ingestd.__main__ import EXIT_CONFIG

REPO = Path(__file__).parents[2]
UNITS = [REPO / "systemd/ingestd.service", REPO / "systemd/ingestd-hooks.service"]

pytestmark = pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)


def values(unit: Path, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit.read_text(), re.MULTILINE)


def test_a_reload_is_waited_for(unit: Path) -> None:
    assert values(unit, "Type") == ["notify-reload"]
    assert values(unit, "ExecReload") == [], "systemd sends the signal itself, and needs no program for it"


def test_it_is_started_again_after_any_end_but_a_bad_configuration(unit: Path) -> None:
    assert values(unit, "Restart") == ["always"]
    assert values(unit, "RestartPreventExitStatus") == [str(EXIT_CONFIG)]
    assert values(unit, "StartLimitIntervalSec") == ["0"]


def test_nothing_is_pulled_in_or_waited_for_that_may_never_come(unit: Path) -> None:
    for hard in ("Requires", "Requisite", "BindsTo", "PartOf", "Wants"):
        assert values(unit, hard) == []
    after = " ".join(values(unit, "After")).split()
    assert not {"network-online.target", "time-sync.target"} & set(after)


def test_its_manual_pages_are_there(unit: Path) -> None:
    pages = re.findall(r"man:([\w.-]+)\((\d)\)", " ".join(values(unit, "Documentation")))
    assert pages
    for name, section in pages:
        assert (REPO / f"etc/man/{name}.{section}").is_file()
