"""Which sound devices there are to choose from, by the names to put into the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingestd.audio.alsa_names import card_and_device
from ingestd.audio.libasound import Hint, hints
from ingestd.audio.proc_cards import User, card_pcms, users_of
from ingestd.audio.sound_devices import same_device, sound_devices
from tests.unit.proc_case import FakeProc


@pytest.fixture
def proc(tmp_path: Path) -> FakeProc:
    fake = FakeProc(tmp_path)
    fake.card(0, "PCH", "HDA Intel PCH")
    fake.card(2, "Mic", "USB PnP Sound Device")
    fake.pcm(0, 0, "p", "ALC887-VD Analog")
    fake.pcm(0, 10, "p", "HDMI 1")
    fake.pcm(0, 2, "p", "Digital")
    fake.pcm(2, 0, "c", "USB Audio", thread=1301)
    fake.process(1300, "ingestd", 1301)
    return fake


def test_cards_are_named_by_their_id_and_never_by_a_number(proc: FakeProc) -> None:
    assert [pcm.alsa_name for pcm in card_pcms("capture", proc.asound, proc.proc)] == ["plughw:CARD=Mic,DEV=0"]
    assert [pcm.alsa_name for pcm in card_pcms("playback", proc.asound, proc.proc)] == [
        "plughw:CARD=PCH,DEV=0",
        "plughw:CARD=PCH,DEV=2",
        "plughw:CARD=PCH,DEV=10",
    ]


def test_who_has_one_open_is_the_process_and_not_its_thread(proc: FakeProc) -> None:
    for name in ("plughw:CARD=Mic,DEV=0", "hw:Mic", "hw:2,0", "plughw:CARD=Mic"):
        assert users_of(name, "capture", proc.asound, proc.proc) == (User(1300, "ingestd"),)
    assert users_of("plughw:CARD=PCH,DEV=0", "playback", proc.asound, proc.proc) == ()
    assert users_of("default", "capture", proc.asound, proc.proc) == ()
    assert str(User(1300, "ingestd")) == "ingestd (pid 1300)"


def test_a_process_that_has_gone_meanwhile_is_no_fault(proc: FakeProc) -> None:
    proc.pcm(2, 1, "c", "Line", thread=999)
    assert users_of("hw:Mic,1", "capture", proc.asound, proc.proc) == (User(999, "a process that has gone"),)


def test_a_card_says_what_it_is_and_what_the_configuration_calls_it(proc: FakeProc) -> None:
    first = sound_devices("capture", proc.asound, proc.proc)[0]
    assert first.description == "USB PnP Sound Device: USB Audio"
    assert first.is_called("hw:CARD=Mic")
    assert first.is_called("plughw:2")
    assert not first.is_called("hw:CARD=Mic,DEV=1")
    assert not first.is_called("default")


def test_without_a_card_there_is_what_alsa_has(tmp_path: Path) -> None:
    empty = FakeProc(tmp_path)
    names = [device.name for device in sound_devices("playback", empty.asound, empty.proc)]
    assert "default" in names
    assert card_pcms("playback", tmp_path / "absent") == []


def test_what_only_converts_is_no_device_and_a_cards_other_names_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = [
        Hint("speexrate", "Rate Converter", capture=True, playback=True),
        Hint("front:CARD=Mic,DEV=0", "Front speakers", capture=True, playback=True),
        Hint("pulse", "PulseAudio", capture=True, playback=True),
        Hint("speakers", "Mine", capture=False, playback=True),
        Hint("default", "Of the machine", capture=True, playback=True),
    ]
    monkeypatch.setattr("ingestd.audio.libasound.hints", lambda: listed)
    found = sound_devices("capture", tmp_path)
    assert [(device.name, device.description) for device in found] == [
        ("pulse", "PulseAudio"),
        ("default", "Of the machine"),
    ]


def test_hints_are_what_the_library_says() -> None:
    found = {hint.name: hint for hint in hints()}
    assert found["null"].capture
    assert found["null"].playback
    assert found["null"].description.startswith("Discard all samples")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("hw:1", ("1", 0)),
        ("plughw:Mic,3", ("Mic", 3)),
        ("plughw:CARD=Mic,DEV=0", ("Mic", 0)),
        ("hw:CARD=Mic,DEV=1,SUBDEV=0", ("Mic", 1)),
        ("default", None),
        ("dsnoop:CARD=Mic", None),
    ],
)
def test_card_and_device_of_a_name(name: str, found: tuple[str, int] | None) -> None:
    assert card_and_device(name) == found


def test_a_device_is_the_same_through_alsas_conversion() -> None:
    assert same_device("hw:CARD=Mic", "plughw:CARD=Mic")
    assert same_device("plug:'default'", "default")
    assert not same_device("hw:1", "hw:2")
