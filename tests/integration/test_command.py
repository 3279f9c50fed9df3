"""The command `ingestd` as a person or systemd runs it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ingestd import __version__
from tests.rig.memory_device import device_config
from tests.rig.process import end, spawn, wait_until
from tests.rig.sound import SoundRig
from tests.standin.client import StandIn

SESSION = "{room_id: abcd, participant: {metadata: {}}}"
INGESTD = [sys.executable, "-m", "ingestd"]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*INGESTD, *map(str, arguments)], capture_output=True, text=True, timeout=30)


def test_help_and_version() -> None:
    shown = run("--help")
    assert shown.returncode == 0
    assert "--check" in shown.stdout
    assert run("--version").stdout.split() == ["ingestd", __version__]


def test_a_good_configuration_is_good(tmp_path: Path) -> None:
    path = tmp_path / "ingestd.yaml"
    path.write_text(f"backend: {{url: https://example.com/sessions}}\nsession: {SESSION}\n")
    checked = run("--config", path, "--check")
    assert (checked.returncode, checked.stdout) == (0, f"{path}: good\n")


def test_every_fault_of_a_bad_configuration_is_listed_and_the_exit_is_78(tmp_path: Path) -> None:
    path = tmp_path / "ingestd.yaml"
    path.write_text(
        "backend:\n  url: http://example.com/\nsesion:\n  room_id: x\naudio:\n  capture: {gain_db: loud}\n"
        "session:\n  agent: {metadata: {}}\n  participant: {metadata: {}}\n"
    )
    for more in ([], ["--check"]):
        refused = run("--config", path, *more)
        assert refused.returncode == 78
        lines = refused.stderr.splitlines()
        assert len(lines) == 5
        for line, (number, words) in zip(
            lines,
            [
                (2, ["backend.url", "https"]),
                (3, ["sesion", "session"]),
                (6, ["gain_db", "loud"]),
                (8, ["session.agent", "id"]),
            ],
            strict=False,
        ):
            assert line.startswith(f"{path}:{number}:"), line
            assert all(word in line for word in words), line
        assert "4 faults" in lines[-1]


def test_a_missing_configuration_says_what_to_do(tmp_path: Path) -> None:
    refused = run("--config", tmp_path / "none.yaml")
    assert refused.returncode == 78
    assert "none.yaml" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_control_socket_that_cannot_be_had_is_a_clear_fault_and_no_fault_of_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "ingestd.yaml"
    path.write_text(
        "backend: {url: https://example.com/}\n"
        f"session: {SESSION}\ncontrol: {{socket: {tmp_path}/absent/control.sock}}\n"
    )
    refused = run("--config", path)
    assert refused.returncode == 75
    assert "a later start may succeed" in refused.stderr
    assert f"{tmp_path}/absent/control.sock" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_says_stop_to_the_room_and_ends_cleanly(
    tmp_path: Path, sound: SoundRig, number: signal.Signals
) -> None:
    with StandIn(tls=True) as room:
        path = tmp_path / "ingestd.yaml"
        config = device_config(room.base_url, room.token, room.ca_file, tmp_path)
        config["audio"] = {"capture": {"device": "mic"}, "playback": {"device": "speaker"}}
        config["control"] = {"socket": str(tmp_path / "control.sock")}
        path.write_text(json.dumps(config))
        daemon = spawn([*INGESTD, "--config", path], env=sound.env())
        try:
            room.wait_joined()
            room.wait_received(0, 10)
            daemon.send_signal(number)
            assert daemon.wait(20) == 0
        finally:
            end(daemon)
        closed = room.wait_closed()
        assert closed.stopped_s is not None
        assert closed.close_code == 1000
    assert not (tmp_path / "control.sock").exists()


def test_devices_that_are_absent_leave_the_call_up_with_silence(tmp_path: Path) -> None:
    with StandIn(tls=True) as room:
        path = tmp_path / "ingestd.yaml"
        config = device_config(room.base_url, room.token, room.ca_file, tmp_path)
        config["audio"] = {"capture": {"device": "absent"}, "playback": {"device": "absent"}}
        config["control"] = {"socket": str(tmp_path / "control.sock")}
        path.write_text(json.dumps(config))
        log = tmp_path / "log"
        with log.open("wb") as stderr:
            daemon = spawn([*INGESTD, "--config", path], stderr=stderr)
        try:
            room.wait_joined()
            room.wait_received(0, 100)
            assert not room.received(0).samples.any()
            for kind in ("capture", "playback"):
                told = f"can't open {kind} device 'absent'"
                wait_until(lambda: told in log.read_text(), 30, told)  # noqa: B023
        finally:
            assert end(daemon, 20) == 0
        assert log.read_text().count("can't open capture device 'absent'") == 1
