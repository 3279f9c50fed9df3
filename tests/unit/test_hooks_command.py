"""The command ingestd-hooks and its unit, as a person and systemd have them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ingestd import __version__
from ingestd.hooks.main import EXIT_CONFIG

UNIT = Path(__file__).parents[2] / "systemd/ingestd-hooks.service"
SERVICE = UNIT.with_name("ingestd.service")
GOOD = "backend: {url: 'https://h/'}\nsession: {participant: {metadata: {}}}\n"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ingestd.hooks", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def values(key: str, unit: Path = UNIT) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit.read_text(), re.MULTILINE)


def test_help_and_version() -> None:
    assert "--check" in run("--help").stdout
    assert run("--version").stdout.split() == ["ingestd-hooks", __version__]


def test_a_good_configuration_is_good_and_what_may_be_forgotten_is_said(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("0123456789abcdef")
    secret.chmod(0o644)
    path = tmp_path / "ingestd.yaml"
    path.write_text(
        f"{GOOD}hooks:\n- {{topic: A, exec: [/nowhere/a], hmac_secret_file: {secret}}}\n"
        f"- {{topic: B, exec: [/bin/sh], hmac_secret_file: {tmp_path}/absent}}\n"
        "- {topic: C, exec: [/bin/sh], reply: true}\n- {topic: D, exec: [/bin/sh], reply: true, allow_senders: [a]}\n"
    )
    checked = run("--config", path, "--check")
    assert (checked.returncode, checked.stdout) == (0, f"{path}: good; 4 handlers\n")
    readable, absent, program, replies = checked.stderr.splitlines()
    assert "every user of this machine may read or write the secret" in readable
    assert "does not exist" in absent
    assert "/nowhere/a (topic A): there is no such program yet" in program
    assert "/bin/sh (topic C): replies to whoever writes" in replies


@pytest.mark.parametrize("more", [[], ["--check"]])
def test_a_bad_one_is_listed_whole_and_the_exit_is_78(tmp_path: Path, more: list[str]) -> None:
    path = tmp_path / "ingestd.yaml"
    path.write_text(f"{GOOD}hooks: [{{topic: A}}, {{state: gone, exec: [sh]}}]\n")
    refused = run("--config", path, *more)
    assert refused.returncode == EXIT_CONFIG == 78
    *faults, last = refused.stderr.splitlines()
    assert len(faults) == 3
    assert all(fault.startswith(f"{path}:3: hooks[") for fault in faults)
    assert last == "ingestd-hooks: 3 faults in the configuration"


def test_its_sandbox_leaves_out_nothing_of_the_daemons() -> None:
    """Each way that ingestd.service closes is closed here too, by the same line or a stricter one, but for three."""
    stricter = {"RestrictAddressFamilies", "DeviceAllow"}
    looser = {"DevicePolicy", "PrivateTmp", "MemoryDenyWriteExecute"}  # the unit says why
    text = SERVICE.read_text()
    lines = [line for line in text[text.index("# Sandbox") :].splitlines() if re.match(r"[A-Z]\w+=", line)]
    assert len(lines) > 20
    mine = UNIT.read_text().splitlines()
    assert [line for line in lines if line not in mine and line.partition("=")[0] not in stricter | looser] == []
    assert values("RestrictAddressFamilies") == ["AF_UNIX"]
    assert values("PrivateNetwork") == values("PrivateDevices") == ["yes"]
    assert values("DeviceAllow") == []
    assert values("DevicePolicy") == ["closed"]
    assert values("PrivateTmp") == ["yes"]
