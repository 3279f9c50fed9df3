"""The units and their drop-ins as systemd of Debian 13 judges them: no fault in any line, and what they leave open."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig.booted import Booted, why_not
from tests.rig.figures import Figures

UNITS = Path(__file__).parents[3] / "systemd"
NAMES = ["ingestd.service", "ingestd-hooks.service", "ingestd-broker.service", "ingestd-broker-prune.service"]
TIMER = "ingestd-broker-prune.timer"
EXAMPLES = sorted(UNITS.glob("*.d/*.conf.example"))
MOST_EXPOSED = 1.5
"""Of 10, which is what a service without any sandbox has: systemd-analyze(1)."""

pytestmark = [pytest.mark.root, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def debian() -> Iterator[Booted]:
    """A Debian 13 that nobody boots, with all units."""
    if reason := why_not():
        pytest.skip(reason)
    with Booted() as machine:
        for name in NAMES:
            machine.write(f"/usr/lib/systemd/system/{name}", (UNITS / name).read_text())
            machine.write(f"/usr/bin/{name.removesuffix('.service')}", "", 0o755)
        machine.write(f"/usr/lib/systemd/system/{TIMER}", (UNITS / TIMER).read_text())
        yield machine


def analyze(debian: Booted, *words: str) -> subprocess.CompletedProcess[str]:
    command = ["chroot", str(debian.path), "systemd-analyze", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def verified(debian: Booted, name: str) -> str:
    """What systemd finds in a unit; whether the manual pages are there is tried elsewhere, as man is not in there."""
    done = analyze(debian, "verify", "--man=no", "--recursive-errors=no", name)
    return f"{done.stdout}{done.stderr}" or ("" if done.returncode == 0 else f"status {done.returncode}")


@pytest.mark.parametrize("name", [*NAMES, TIMER])
def test_systemd_finds_no_fault(debian: Booted, name: str) -> None:
    assert verified(debian, name) == ""


def test_it_would_find_one(debian: Booted) -> None:
    drop_in = "/etc/systemd/system/ingestd.service.d/fault.conf"
    debian.write(drop_in, "[Service]\nProtectSystem=strictly\n")
    assert "ProtectSystem" in verified(debian, "ingestd.service")
    (debian.path / drop_in.lstrip("/")).unlink()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_systemd_finds_no_fault_with_the_drop_in(debian: Booted, example: Path) -> None:
    drop_in = f"/etc/systemd/system/{example.parent.name}/{example.stem}"
    debian.write(drop_in, example.read_text())
    assert verified(debian, example.parent.name.removesuffix(".d")) == ""
    (debian.path / drop_in.lstrip("/")).unlink()


@pytest.mark.undisturbed
@pytest.mark.parametrize("name", NAMES)
def test_they_leave_little_open(debian: Booted, figures: Figures, name: str) -> None:
    told = analyze(debian, "security", "--offline=yes", "--no-pager", name).stdout
    exposure = float(told.rpartition(f"{name}: ")[2].split()[0])
    figure = name.removesuffix(".service").replace("-", "_")
    assert figures.add(f"{figure}_security_exposure", exposure, max=MOST_EXPOSED), told


def sandbox(name: str) -> list[str]:
    """What a unit closes, from its heading on."""
    lines = (UNITS / name).read_text().partition("\nNoNewPrivileges=")[2].splitlines()
    return [line for line in lines if line and not line.startswith(("#", "[", "WantedBy="))]


def test_the_brokers_prune_is_as_closed_as_the_broker() -> None:
    assert sandbox("ingestd-broker-prune.service") == sandbox("ingestd-broker.service") != []


def test_the_daemon_closes_what_it_can(debian: Booted) -> None:
    done = analyze(debian, "security", "--offline=yes", "--json=short", "ingestd.service")
    left_open = {entry["json_field"] for entry in json.loads(done.stdout) if float(entry["exposure"] or 0) > 0}
    assert left_open == {
        "RootDirectoryOrRootImage",
        "SupplementaryGroups",
        "PrivateDevices",
        "DeviceAllow",
        "ProcSubset",
        "PrivateNetwork",
        "IPAddressDeny",
        "RestrictAddressFamilies_AF_INET_INET6",
        "RestrictAddressFamilies_AF_UNIX",
        "RestrictAddressFamilies_AF_NETLINK",
    }
