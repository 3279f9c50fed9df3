"""ingestctl doctor in a terminal: a device that is well, stopped and running; JSON, a bundle, other users."""

from __future__ import annotations

import json
import stat
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.doctor_case import INGESTCTL, REPO, SKIPPED, Desk, Result, desk_of, instant_devices, sounds
from tests.rig.alsa_device import alsa_device
from tests.rig.memory_device import MemoryDevice
from tests.rig.process import wait_until
from tests.rig.sound import SoundRig
from tests.rig.terminal import Terminal
from tests.rig.wav import tone
from tests.standin.client import StandIn
from tests.standin.faults import SessionFault


@pytest.fixture(scope="module")
def standin() -> Iterator[StandIn]:
    with StandIn(tls=True) as process:
        yield process


@pytest.fixture(scope="module")
def instant(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return instant_devices(tmp_path_factory.mktemp("alsa"))


@pytest.fixture
def desk(standin: StandIn, instant: dict[str, str], tmp_path: Path) -> Iterator[Desk]:
    with desk_of(standin, instant, tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def cards() -> Iterator[SoundRig]:
    """Virtual sound cards, and somebody who hums into the microphone."""
    with SoundRig() as rig:
        playback = rig.mic.play(tone(440, 600, 0.2))
        yield rig
        playback.stop()


def test_a_device_that_is_well_and_stopped(desk: Desk, cards: SoundRig, standin: StandIn) -> None:
    desk.env = cards.env()
    person = standin.add("Ann", room="abcd-efgh-ijkl", publishing=True)
    seen = desk.doctor("--tone", "--call")
    standin.remove(person)
    assert seen.failed == []
    assert seen.status == 0, seen.lines
    for name in ("token's dates", "clock", "DNS", "TCP", "TLS", "clock against the backend", "backend", "call"):
        assert any(line.startswith(f"✓ {name}:") for line in seen.lines), name
    for name in ("first room audio", "microphone mixer", "microphone", "microphone level", "speaker", "tone"):
        assert any(line.startswith(f"✓ {name}:") for line in seen.lines), name
    assert seen.lines[0].startswith("✓ configuration:")
    assert b"\x1b[32m" in seen.output, "in colour"
    assert standin.token.encode() not in seen.output


def test_a_device_whose_daemon_is_in_the_room(standin: StandIn, cards: SoundRig, desk: Desk) -> None:
    with pytest.MonkeyPatch.context() as environment:
        for name, value in cards.env().items():
            environment.setenv(name, value)
        person = standin.add("Ann", room="abcd-efgh-ijkl", publishing=True)
        desk.env = cards.env()
        before = len(standin.session_requests())
        with alsa_device(standin, desk.folder) as device:
            wait_until(lambda: _hears(device.status), 20, "room audio")
            looks: list[Result] = []

            def undisturbed() -> bool:
                wait_until(lambda: sounds(device.status()), 20, "both sound devices")
                before = _losses(device.status())
                looks.append(desk.doctor())
                return _losses(device.status()) == before

            # A machine that was late loses samples, or a device, beside any one of them; doctor would beside each.
            wait_until(undisturbed, 60, "a look beside which nothing is lost")
            seen, after = looks[-1], device.status()
        standin.remove(person)
    assert seen.failed == []
    assert seen.status == 0, seen.lines
    for name in ("session", "first room audio", "microphone level", "speaker", "faults", "control socket"):
        assert any(line.startswith(f"✓ {name}:") for line in seen.lines), name
    assert any(line.startswith(f"{SKIPPED} backend: the daemon is in the room") for line in seen.lines)
    assert not any("[y/N]" in line for line in seen.lines), "the speaker is the daemon's"
    assert after["session"]["reconnects"] == 0, "it disturbed nothing"
    assert not any(" opens: " in line for line in seen.lines), "it opened no device"
    assert len(standin.session_requests()) == before + 1, "the daemon's own"


def _losses(status: dict[str, Any]) -> tuple[int, list[int], bool]:
    return status["uplink"]["xruns"], [fault["count"] for fault in status["faults"]], sounds(status)


def _hears(status: Callable[[], dict[str, Any]]) -> bool:
    try:
        return status()["session"]["first_audio_s"] is not None
    except OSError:
        return False


def test_a_running_daemon_with_a_fault_is_asked_for_it(standin: StandIn, desk: Desk) -> None:
    standin.fail_sessions(SessionFault(status=401, message="Token is invalid or expired"), times=9)
    with MemoryDevice(desk.folder, desk.config) as device:
        wait_until(lambda: _has_fault(device), 20, "its first attempt")
        wait_until(lambda: sounds(device.status()), 20, "both sound devices")
        seen = desk.doctor("--no-session")
        device.stop()
    assert seen.status == 1
    assert seen.failed == ["session"], "one cause, counted once"
    assert "Put a fresh token there" in seen.remedy_of("✗ session: not in the room")
    assert "the backend answered 401" in "".join(seen.lines)


def _has_fault(device: MemoryDevice) -> bool:
    try:
        return bool(device.status()["faults"])
    except OSError:
        return False


def test_without_colour_and_in_ascii(desk: Desk) -> None:
    desk.token_file.unlink()
    seen = desk.doctor(env={"NO_COLOR": "1", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})
    assert b"\x1b[3" not in seen.output
    assert seen.output.isascii()
    place = next(number for number, line in enumerate(seen.lines) if line.startswith("x token:"))
    assert seen.lines[place + 1].startswith("    -> ")


def test_ctrl_c_ends_it_at_once(desk: Desk, cards: SoundRig) -> None:
    desk.env = cards.env()
    path = desk.folder / "doctor.yaml"
    path.write_text(json.dumps(desk.config))
    command = [*INGESTCTL, "doctor", "--config", str(path), "--no-session", "--tone"]
    cards.mic.freeze()  # what listens to it would come to its end only when nobody waits for it any more
    try:
        with Terminal(command, columns=200, lines=50, env=desk.env, cwd=REPO) as terminal:
            terminal.wait_for("backend: not asked")
            tasks = Path(f"/proc/{terminal.process.pid}/task")
            wait_until(lambda: any(each.read_text() for each in tasks.glob("*/children")), 20, "who listens")
            terminal.type("\x03")
            assert terminal.status() == 130
            assert "microphone:" not in terminal.text, "it did not listen to the end"
            assert "Traceback" not in terminal.text
    finally:
        cards.mic.thaw()


def test_json_is_for_programs(desk: Desk) -> None:
    desk.token_file.unlink()
    seen = desk.doctor("--json")
    found = json.loads(seen.output)
    assert seen.status == 1
    assert found["ok"] is False
    by_name = {check["name"]: check for check in found["checks"]}
    assert by_name["token"]["status"] == "failed"
    assert "create it" in by_name["token"]["remedy"]
    assert {check["status"] for check in found["checks"]} <= {"ok", "warning", "failed", "skipped"}


def test_a_bundle_is_written_once_and_for_its_owner_only(desk: Desk, standin: StandIn) -> None:
    path = desk.folder / "support.tar.gz"
    with MemoryDevice(desk.folder, desk.config) as device:
        wait_until(lambda: _in_the_room(device), 20, "the room")
        seen = desk.doctor("--no-session", "--bundle", str(path))
        device.stop()
    assert f"{path}: for support" in seen.lines[-1]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with tarfile.open(path) as tar:
        contents = {member.name: tar.extractfile(member) for member in tar}
        texts = {name: file.read() for name, file in contents.items() if file is not None}
    assert json.loads(texts["ingestd-support/status.json"])["state"] == "streaming"
    assert [name for name, text in texts.items() if standin.token.encode() in text] == []
    again = desk.doctor("--no-session", "--bundle", str(path))
    assert again.status == 1
    assert "is there already" in again.lines[-1]


def _in_the_room(device: MemoryDevice) -> bool:
    try:
        return bool(device.status()["session"]["joined"])
    except OSError:
        return False


@pytest.mark.root
def test_a_user_who_may_not_read_the_token_is_told_so(desk: Desk) -> None:
    token = desk.folder / "token"
    with tempfile.TemporaryDirectory() as name:  # where others may enter, unlike pytest's
        desk.folder = Path(name)
        desk.folder.chmod(0o755)
        desk.config["backend"]["token_file"] = str(token.rename(desk.token_file))
        desk.config["backend"]["ca_file"] = None
        desk.prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        seen = desk.doctor()
    assert "run it as root" in seen.remedy_of(f"{SKIPPED} token: this user may not read {desk.token_file}")
