"""The stand-in at a terminal, as scripts/room runs it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from ingestd.broker.settings import read_settings
from ingestd.broker.tokens import Tokens
from tests.standin.probe import Probe
from tests.standin.sounds import level, tone
from tests.standin.wav import open_recording, read_pcm

_REPO = Path(__file__).parents[2]


@contextlib.contextmanager
def _room(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The command, on a free port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.standin", "--port", "0", *arguments],
        cwd=_REPO,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _lines_until(process: subprocess.Popen[str], pattern: str) -> list[str]:
    """What is printed up to a line that contains `pattern`."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if re.search(pattern, line):
            return lines
    raise AssertionError(f"ended without {pattern!r}: {lines}")


def _groups(lines: list[str]) -> dict[str, dict[str, str]]:
    """The groups of the configurations that are printed: a device's backend and session, a broker's videosdk."""
    found: dict[str, dict[str, str]] = {}
    for line in lines:
        if group := re.fullmatch(r"(\w+):", line):
            values = found[group[1]] = {}
        elif value := re.fullmatch(r"  (\w+): (.+)", line):
            values[value[1]] = value[2]
    return found


def _session(told: dict[str, dict[str, str]], token: str, name: str) -> requests.Response:
    """What a device with that token is answered."""
    return requests.post(
        told["backend"]["url"],
        json={"roomId": told["session"]["room_id"], "participant": {"name": name}},
        headers={"Authorization": f"Bearer {token}"},
        verify=told["backend"].get("ca_file", True),
        timeout=20,
    )


def test_it_says_what_a_device_needs_and_logs_what_happens(tmp_path: Path) -> None:
    with open_recording(tmp_path / "say.wav") as target:
        target.writeframes(tone(600, 0.5))
    with _room("--say", str(tmp_path / "say.wav"), "--record", str(tmp_path / "heard"), "--report", "0.2") as process:
        told = _groups(_lines_until(process, "Ctrl-C"))
        token = Path(told["backend"]["token_file"])
        assert token.stat().st_mode & 0o777 == 0o600
        answer = _session(told, token.read_text(), "Field Device 12")
        with Probe(answer.json()["data"]["wsUrl"]) as device:
            device.wait("meeting-joined")
            device.send("message", topic="CHAT", data="hello")
            device.stream(tone(440, 0.4))
            assert level(device.wait_heard(16000), 600) > 6000
            _lines_until(process, r"session created for room abcd-efgh-ijkl")
            _lines_until(process, r"Field Device 12: joined room abcd-efgh-ijkl")
            _lines_until(process, r"Field Device 12: published on CHAT: hello")
            _lines_until(process, r"Field Device 12: \d+\.\d frames/s in, \d+\.\d out")
            device.send("stop")
            device.wait_closed()
        _lines_until(process, r"left: stopped by the client")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    (recording,) = (tmp_path / "heard").glob("*.wav")
    assert recording.name == "000-Field_Device_12.wav"
    assert read_pcm(recording) == tone(440, 0.4)


def test_with_tls_it_says_where_the_ca_is(tmp_path: Path) -> None:
    with _room("--tls", "--dir", str(tmp_path), "--room", "mine") as process:
        told = _groups(_lines_until(process, "Ctrl-C"))
        assert told["backend"]["ca_file"] == told["videosdk"]["ca_file"] == str(tmp_path / "ca.pem")
        assert told["session"]["room_id"] == "mine"
        answer = requests.get(
            f"{told['videosdk']['url']}/v2/public/rsa-public-key", verify=told["videosdk"]["ca_file"], timeout=10
        )
        assert answer.json()["publicKey"].startswith("-----BEGIN PUBLIC KEY-----")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_it_says_what_a_broker_needs_wherever_the_files_are(tmp_path: Path) -> None:
    with _room("--tls", "--dir", os.path.relpath(tmp_path, _REPO)) as process:
        told = _groups(_lines_until(process, "Ctrl-C"))
        broker = tmp_path / "broker.yaml"
        broker.write_text(json.dumps({"videosdk": told["videosdk"]}))
        videosdk = read_settings(broker).videosdk
        assert videosdk.api_secret_file.stat().st_mode & 0o777 == 0o600
        minted = Tokens(videosdk, time.time).current()
        assert _session(told, minted, "gate").status_code == 200
        assert _session(told, minted[:-2], "gate").status_code == 401
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--set", "quite=silence"], "did you mean quiet"),
        (["--say", "/nowhere.wav"], "/nowhere.wav"),
        (["--say", "/etc/hostname"], "/etc/hostname"),
        (["--host", "192.0.2.1"], "192.0.2.1"),
    ],
    ids=str,
)
def test_a_mistake_is_named_without_a_traceback(arguments: list[str], named: str) -> None:
    with _room(*arguments) as process:
        out, _ = process.communicate(timeout=20)
    assert process.returncode != 0
    assert named in out
    assert "Traceback" not in out


def test_help_names_what_there_is() -> None:
    ran = subprocess.run([sys.executable, "-m", "tests.standin", "--help"], cwd=_REPO, capture_output=True, text=True)
    assert ran.returncode == 0
    for option in ("--tls", "--say", "--record", "--room", "--set", "--public-base"):
        assert option in ran.stdout


def test_the_script_sets_up_first_and_passes_its_arguments_on(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    script = tmp_path / "scripts" / "room"
    script.write_bytes((_REPO / "scripts" / "room").read_bytes())
    setup = tmp_path / "scripts" / "setup"
    setup.write_text("#!/bin/sh\necho set up\n")
    python = tmp_path / ".venv" / "bin" / "python"
    python.write_text('#!/bin/sh\necho "$@"\n')
    for path in (script, setup, python):
        path.chmod(0o755)
    ran = subprocess.run([str(script), "--room", "a b"], cwd="/", env={**os.environ}, capture_output=True, text=True)
    assert ran.stdout == "set up\n-m tests.standin --room a b\n"
