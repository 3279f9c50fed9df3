"""Sound as doctor sees it: names, mixers, devices of the real ALSA; and what it makes of them."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingestd.audio.alsa_mixer import mixer_states
from ingestd.core.check import Check, Verdict
from ingestd.core.soundcheck import judged_level, measured
from ingestd.doctor import sound
from ingestd.doctor.device_names import judged_name
from ingestd.doctor.mixers import judged_controls
from ingestd.system.user import User, may
from tests.rig.sound import SoundRig
from tests.rig.wav import tone
from tests.unit.doctor_case import by_name, failed, situation


def control(name: str, on: bool | None = True, level_percent: int | None = 70) -> dict[str, Any]:
    return {"mixer": "hw:Card", "control": name, "on": on, "level_percent": level_percent}


def test_a_mixer_with_all_open_is_well() -> None:
    check = judged_controls("m", "playback", [control("Master"), control("PCM", None)], None)
    assert check.verdict is Verdict.OK
    assert "Master 70 %, PCM 70 %" in check.what


def test_what_is_off_or_at_zero_is_named_with_the_command_that_opens_it() -> None:
    controls = [control("Master", on=False), control("PCM", None, 0), control("Headphone")]
    check = judged_controls("m", "playback", controls, None)
    assert check.verdict is Verdict.WARNING
    assert check.what == "shut: Master 70 % and switched off, PCM 0 %"
    assert "`amixer -D hw:Card sset Master 80% unmute`" in check.remedy
    capture = judged_controls("m", "capture", [control("Mic", on=False)], None)
    assert "`amixer -D hw:Card sset Mic 80% cap`" in capture.remedy


def test_a_command_to_copy_takes_a_control_s_name_as_one_word_whatever_is_in_it() -> None:
    name = "Mike's $(reboot) `x`"
    check = judged_controls("m", "capture", [{**control(name, on=False), "mixer": "hw:CARD=A B"}], None)
    start = check.remedy.index("amixer")
    assert shlex.split(check.remedy[start : check.remedy.index("; or let")].removesuffix("`")) == [
        *("amixer", "-D", "hw:CARD=A B", "sset", name, "80%", "cap")
    ]


@pytest.mark.parametrize("name", ["Mic", "Front Mic", "Line", "Beep", "Loopback Mixing", "IEC958", "Mic Boost"])
def test_what_is_off_as_it_should_be_is_no_fault(name: str) -> None:
    check = judged_controls("m", "playback", [control(name, on=False), control("Master")], None)
    assert check.verdict is Verdict.OK


def test_the_configured_control_is_set_by_the_daemon() -> None:
    assert judged_controls("m", "capture", [control("Mic", on=False)], "Mic").verdict is Verdict.OK
    absent = judged_controls("m", "capture", [control("Mic"), control("ADC")], "Capture")
    assert absent.verdict is Verdict.WARNING
    assert "'Mic', 'ADC'" in absent.remedy
    assert judged_controls("m", "capture", [], None).verdict is Verdict.OK
    assert judged_controls("m", "capture", [], "Capture").verdict is Verdict.WARNING


def test_names_that_promise_little(tmp_path: Path) -> None:
    pcm = tmp_path / "card1" / "pcm0c"
    pcm.mkdir(parents=True)
    (tmp_path / "card1" / "id").write_text("Mic\n")
    (pcm / "info").write_text("card: 1\ndevice: 0\nsubdevice: 0\nstream: CAPTURE\nid: USB\nname: USB Audio\n")
    for device in ("hw:1", "plughw:1,0", "plughw:CARD=1,DEV=0"):
        check = judged_name("microphone", "capture", device, tmp_path)
        assert check is not None
        assert "plughw:CARD=Mic,DEV=0" in check.remedy
    for device in ("default", "pulse"):
        check = judged_name("microphone", "capture", device, tmp_path)
        assert check is not None
        assert "plughw:CARD=Mic,DEV=0" in check.remedy
    assert judged_name("microphone", "capture", "plughw:CARD=Mic", tmp_path) is None
    assert judged_name("microphone", "capture", "dsnoop:Mic", tmp_path) is None


@pytest.mark.parametrize(
    ("amplitude", "gain_db", "verdict"),
    [(0.0, 0.0, Verdict.FAILED), (0.0001, 0.0, Verdict.WARNING), (0.1, 0.0, Verdict.OK), (0.9, 12.0, Verdict.WARNING)],
)
def test_a_level_is_judged(amplitude: float, gain_db: float, verdict: Verdict) -> None:
    found = measured(tone(440, 1, amplitude).astype("<i2").tobytes(), gain_db)
    assert judged_level("level", "", found.peak_dbfs, found.clipped).verdict is verdict


def test_a_level_is_measured() -> None:
    found = measured(tone(440, 1, 0.5).astype("<i2").tobytes(), 0.0)
    assert found.peak_dbfs == pytest.approx(-6.0, abs=0.2)
    assert found.level_dbfs == pytest.approx(-9.0, abs=0.2)
    assert found.clipped == 0
    assert measured(np.full(100, 32767, dtype="<i2").tobytes(), 0.0).clipped == 100
    assert measured(b"", 0.0).peak_dbfs == -96.0


# --- the real ALSA --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cards() -> Iterator[SoundRig]:
    with pytest.MonkeyPatch.context() as environment, SoundRig() as rig:
        for name, value in rig.env().items():
            environment.setenv(name, value)
        yield rig


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound, "LISTEN_S", 0.3)


def looked(folder: Path, capture: str = "mic", playback: str = "speaker", *, opening: bool = True) -> list[Check]:
    audio = {"capture": {"device": capture}, "playback": {"device": playback}}
    return list(sound.checks(situation(folder, audio=audio), opening=opening))


def test_mixers_are_read_as_they_stand(cards: SoundRig) -> None:
    cards.mic._pactl("set-source-mute", "card.monitor", "1")
    (state,) = mixer_states("capture", "mic")
    assert (state.mixer, state.control, state.on, state.level_percent) == ("mic", "Capture", False, 100)
    cards.mic._pactl("set-source-mute", "card.monitor", "0")
    cards.speaker._pactl("set-sink-volume", "card", "0")
    (state,) = mixer_states("playback", "speaker")
    assert (state.control, state.on, state.level_percent) == ("Master", True, 0)
    cards.speaker._pactl("set-sink-volume", "card", "65536")
    assert mixer_states("playback", "hw:CARD=Absent") == []


def test_a_muted_microphone_is_digitally_silent_and_its_switch_is_named(cards: SoundRig, tmp_path: Path) -> None:
    cards.mic._pactl("set-source-mute", "card.monitor", "1")
    checks = looked(tmp_path)
    cards.mic._pactl("set-source-mute", "card.monitor", "0")
    assert failed(checks) == ["microphone level"]
    found = by_name(checks)
    assert "digital silence" in found["microphone level"].what
    assert "sset Capture 80% cap" in found["microphone mixer"].remedy
    assert found["tone"].verdict is Verdict.SKIPPED


def test_a_device_that_is_absent_is_named(tmp_path: Path) -> None:
    checks = looked(tmp_path, "hw:CARD=Absent", "nonesuch")
    assert failed(checks) == ["microphone", "speaker"]
    assert "audio.capture.device" in by_name(checks)["microphone"].remedy


def test_a_sound_server_that_hangs_is_named_and_left(
    cards: SoundRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sound._asked

    def asked(question: dict[str, Any], user: User | None) -> dict[str, Any]:
        with monkeypatch.context() as patched:
            if question["kind"] == "capture":  # the speaker's answer takes a while on a busy machine
                patched.setattr(sound, "_ANSWER_S", 3.0)
            return real(question, user)

    monkeypatch.setattr(sound, "_asked", asked)
    cards.mic.freeze()
    try:
        checks = looked(tmp_path)
    finally:
        cards.mic.thaw()
    assert failed(checks) == ["microphone"]
    assert "its sound server hangs" in by_name(checks)["microphone"].what


def test_where_a_daemon_has_the_devices_they_are_not_opened(tmp_path: Path) -> None:
    checks = looked(tmp_path, "hw:CARD=Absent", "nonesuch", opening=False)
    assert failed(checks) == []
    assert set(by_name(checks)) == {"microphone mixer", "speaker mixer"}


@pytest.mark.root
def test_the_devices_are_tried_as_the_daemons_user(tmp_path: Path) -> None:
    nobody = User("nobody", 65534, 65534, (65534,), "/")
    package = Path(sound.__file__)
    if not may(nobody, package, "r") or not may(nobody, Path(sys.executable), "r"):
        pytest.skip("others may not read this checkout")
    private = tmp_path / "private"  # only root may enter pytest's folder
    private.write_text("pcm.!secret_pcm { type null }\n")
    given = situation(tmp_path, audio={"capture": {"device": "hw:CARD=Absent"}, "playback": {"device": "secret_pcm"}})
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ALSA_CONFIG_PATH", f"/usr/share/alsa/alsa.conf:{private}")
        assert failed(sound.checks(given, opening=True)) == ["microphone"]
        checks = list(sound.checks(replace(given, user=nobody), opening=True))
    assert failed(checks) == ["microphone", "speaker"]


def test_no_program_is_run_from_the_present_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ingestd").mkdir()
    (tmp_path / "ingestd" / "__init__.py").write_text("raise SystemExit(3)\n")
    monkeypatch.chdir(tmp_path)
    assert failed(looked(tmp_path, "hw:CARD=Absent", "nonesuch", opening=False)) == []
