"""ingestctl devices: the list, and the level meter by the device or by the daemon that has it."""

from __future__ import annotations

import functools
import itertools
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ingestd.audio import sound_devices
from ingestd.ctl import devices
from ingestd.ctl.command import EXIT_REFUSED
from ingestd.ctl.devices import no_card
from ingestd.ctl.main import main
from tests.rig.fixed_pcm import FixedHardware
from tests.unit.control_case import STATUS, control
from tests.unit.proc_case import FakeProc

CONFIG = "backend: {url: https://a.example/}\nsession: {participant: {name: x, metadata: {}}}\n"


def run(tmp_path: Path, *words: str) -> int:
    return main(["--socket", str(tmp_path / "none"), "devices", "--config", str(tmp_path / "c.yaml"), *words])


@pytest.fixture
def cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeProc:
    fake = FakeProc(tmp_path)
    real = functools.partial(sound_devices.sound_devices, root=fake.asound, proc=fake.proc)
    monkeypatch.setattr(sound_devices, "sound_devices", real)
    return fake


def test_the_list_names_what_to_configure_who_has_it_and_what_is_configured(
    tmp_path: Path, cards: FakeProc, capsys: pytest.CaptureFixture[str]
) -> None:
    cards.card(1, "Mic", "USB \x1b[31mmicrophone")
    cards.pcm(1, 0, "c", "USB Audio", thread=77)
    cards.process(77, "arecord")
    (tmp_path / "c.yaml").write_text(CONFIG + "audio: {capture: {device: 'hw:CARD=Mic'}, playback: {device: mine}}\n")
    assert run(tmp_path) == 0
    out = capsys.readouterr().out
    assert " * plughw:CARD=Mic,DEV=0  USB ?[31mmicrophone: USB Audio; in use by arecord (pid 77)\n" in out
    assert "   default" in out
    assert " * mine" in out
    assert "not in ALSA's lists" in out
    assert f"* is what {tmp_path}/c.yaml names" in out
    assert run(tmp_path, "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed["config_fault"] is None
    assert listed["capture"][0] == {
        "name": "plughw:CARD=Mic,DEV=0",
        "description": "USB \x1b[31mmicrophone: USB Audio",
        "card": "Mic",
        "in_use_by": [{"pid": 77, "command": "arecord"}],
        "configured": True,
    }


def test_without_cards_or_a_configuration_it_says_so(
    tmp_path: Path, cards: FakeProc, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path) == 0
    out = capsys.readouterr().out
    assert "No sound card" in out
    assert "c.yaml: does not exist" in out


def test_why_there_is_no_card(tmp_path: Path) -> None:
    assert "lsusb" in no_card(tmp_path / "none")


def test_the_meter_of_a_device_that_is_not_there_is_refused_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "--meter", "hw:CARD=Absent") == EXIT_REFUSED
    assert "can't open capture device 'hw:CARD=Absent'" in (err := capsys.readouterr().err)
    assert "is it plugged in?" in err
    assert run(tmp_path, "--meter") == EXIT_REFUSED
    assert "name a device: --meter DEVICE" in capsys.readouterr().err
    assert run(tmp_path, "--seconds", "1") == EXIT_REFUSED


def test_the_meter_of_a_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hardware = FixedHardware(tmp_path)
    hardware.add("loud", channels=1)
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(hardware.settings))
    monkeypatch.setattr("ingestd.ctl.devices._PLAIN_S", 0.2)
    (tmp_path / "c.yaml").write_text(CONFIG + "audio: {capture: {device: loud}}\n")
    now_s = itertools.count(0.0, 0.2)  # asked at the start and after each line, however late that is
    monkeypatch.setattr(devices, "time", SimpleNamespace(monotonic=lambda: next(now_s)))
    assert run(tmp_path, "--meter", "--seconds", "0.5") == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == "loud (8000 Hz, all channels mixed); Ctrl-C ends it"
    assert len(lines) == 3
    assert all(re.fullmatch(r"level -\d\d\.\d dBFS, peak -(29|30)\.\d dBFS", line) for line in lines), lines
    assert lines[-1].startswith("level -3"), "the first may come of one block, far less than the 0.3 s it is taken over"
    assert run(tmp_path, "--json", "--meter", "loud", "--seconds", "0.1") == 0
    heard = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (heard["device"], heard["source"]) == ("loud", "device")


def test_where_the_daemon_has_the_device_its_level_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    held: dict[str, Any] = {"capture": {"device": "plughw:CARD=Mic", "lost": False}}
    monkeypatch.setitem(STATUS, "devices", held)
    monkeypatch.setitem(STATUS, "uplink", {"level_dbfs": -21.5, "peak_dbfs": -9.0})
    monkeypatch.setattr("ingestd.ctl.devices._PLAIN_S", 0.01)
    with control(tmp_path) as served:
        words = ["--socket", str(served.path), "devices", "--meter", "hw:CARD=Mic", "--seconds", "0.02"]
        assert main(words) == 0
        first, second, *_ = capsys.readouterr().out.splitlines()
        assert first == "hw:CARD=Mic (the daemon has it open: after its gain); Ctrl-C ends it"
        assert second == "level -21.5 dBFS, peak -9.0 dBFS"
        held["capture"]["lost"] = True
        assert main(words) == EXIT_REFUSED
