"""Mute and gain over restarts: nothing that was muted comes back open, and a new configuration has the last word."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.core.level import Gain, Mute
from ingestd.core.soundsettings import SoundSettings, decode
from ingestd.system.sound_state import FILE, SoundState
from ingestd.system.state_files import write_state
from tests.rig.process import wait_until
from tests.unit.peers import GUARD_S

CONFIGURED: Final = {"capture_db": 3.0, "playback_db": 0.0}


class Device:
    """One run of the daemon, as far as mute and gain go."""

    def __init__(
        self, folder: Path | None, configured: dict[str, float] | None = None, runtime: Path | None = None
    ) -> None:
        self.configured = CONFIGURED if configured is None else configured
        self.gains = {side: Gain(gain_db) for side, gain_db in self.configured.items()}
        self.mute = Mute()
        self.state = SoundState([folder, runtime], self.gains, self.mute, lambda: self.configured)
        self.warning = self.state.restore()

    def gains_db(self) -> tuple[float, float]:
        return self.gains["capture_db"].gain_db, self.gains["playback_db"].gain_db


def test_a_first_start_is_as_configured(tmp_path: Path) -> None:
    device = Device(tmp_path)
    assert (device.warning, device.mute.on, device.gains_db()) == (None, False, (3.0, 0.0))
    assert list(tmp_path.iterdir()) == [], "and writes nothing"


def test_what_was_set_is_there_after_a_restart(tmp_path: Path) -> None:
    first = Device(tmp_path)
    assert first.state.set_gains({"capture_db": -6.0}).result(GUARD_S) is None
    assert first.state.set_mute(True).result(GUARD_S) is None
    assert first.mute.kept
    second = Device(tmp_path)
    assert (second.warning, second.mute.on, second.gains_db()) == (None, True, (-6.0, 0.0))
    assert second.state.set_mute(False).result(GUARD_S) is None
    assert Device(tmp_path).gains_db() == (-6.0, 0.0), "an unmute keeps the gain"


def test_a_gain_that_is_configured_anew_counts_more_than_one_set_before(tmp_path: Path) -> None:
    Device(tmp_path).state.set_gains({"capture_db": -6.0, "playback_db": 5.0}).result(GUARD_S)
    assert Device(tmp_path, {"capture_db": 9.0, "playback_db": 0.0}).gains_db() == (9.0, 5.0)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[]", b"{}", b'{"muted": 0}', b'{"muted": false, "gains_db": []}', b"[" * 99999, b"null"],
    ids=lambda content: repr(content[:20]),
)
def test_a_damaged_file_mutes(content: bytes, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(content)
    device = Device(tmp_path)
    assert device.mute.on
    assert device.warning is not None
    assert "it is muted now; open it by 'ingestctl unmute'" in device.warning
    assert device.gains_db() == (3.0, 0.0)
    assert device.state.set_mute(False).result(GUARD_S) is None
    assert (Device(tmp_path).warning, Device(tmp_path).mute.on) == (None, False)


def test_a_file_that_can_not_be_read_mutes(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    device = Device(tmp_path)
    assert device.mute.on
    assert device.warning is not None
    assert "Is a directory" in device.warning


def test_a_later_versions_keys_and_gains_that_can_not_be_are_passed_over(tmp_path: Path) -> None:
    gains = '{"capture_db": [1, 1' + '0' * 400 + '], "playback_db": [-3, 0], "third_db": [1, 1], "x": 7}'
    (tmp_path / FILE).write_text(f'{{"muted": false, "gains_db": {gains}, "later": 1}}')
    device = Device(tmp_path)
    assert (device.warning, device.mute.on, device.gains_db()) == (None, False, (3.0, -3.0))


def test_the_first_sample_of_a_muted_device_is_silent_already(tmp_path: Path) -> None:
    Device(tmp_path).state.set_mute(True).result(GUARD_S)
    assert Device(tmp_path).mute.apply(b"\x11\x22" * 160) == bytes(320)
    assert Device(tmp_path.parent).mute.apply(b"\x11\x22" * 160) == b"\x11\x22" * 160


def test_a_mute_outlives_a_crash_where_the_disk_is_full(tmp_path: Path) -> None:
    runtime = tmp_path / "run"
    runtime.mkdir()
    first = Device(tmp_path / "absent", runtime=runtime)
    why = first.state.set_mute(True).result(GUARD_S)
    assert why is not None
    assert "can't write" in why
    assert not first.mute.kept
    again = Device(tmp_path / "absent", runtime=runtime)
    assert again.mute.on
    again.state.set_mute(False).result(GUARD_S)
    assert not Device(tmp_path / "absent", runtime=runtime).mute.on


def test_muted_is_what_either_file_says(tmp_path: Path) -> None:
    runtime, state = tmp_path / "run", tmp_path / "state"
    for folder in (runtime, state):
        folder.mkdir()
    for muted in ((True, False), (False, True), (False, False)):
        for folder, one in zip((runtime, state), muted, strict=True):
            (folder / FILE).write_bytes(SoundSettings(one).encode())
        assert Device(state, runtime=runtime).mute.on is any(muted)


def test_a_disk_that_fails_once_does_not_let_an_older_word_be_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free, fails = threading.Event(), [True]

    def sick(path: Path, content: bytes) -> str | None:
        assert free.wait(GUARD_S)
        return "disk full" if fails.pop() else write_state(path, content)

    monkeypatch.setattr("ingestd.system.sound_state.write_state", sick)
    fails[:] = [False, True]
    device = Device(tmp_path)
    kept = [device.state.set_mute(on) for on in (False, True)]
    free.set()
    assert sorted(str(one.result(GUARD_S)) for one in kept) == ["None", "disk full"]
    assert Device(tmp_path).mute.on


def test_a_configuration_that_changes_twice_leaves_nothing_of_what_was_set(tmp_path: Path) -> None:
    device = Device(tmp_path)
    device.state.set_gains({"capture_db": 20.0}).result(GUARD_S)
    device.configured = {"capture_db": 5.0, "playback_db": 0.0}
    device.state.configure("capture_db", 5.0)
    assert device.gains["capture_db"].gain_db == 5.0
    wait_until(lambda: b"20" not in (tmp_path / FILE).read_bytes(), GUARD_S, "the file")
    assert Device(tmp_path).gains_db() == (3.0, 0.0)


@given(st.binary() | st.text().map(str.encode))
def test_whatever_a_file_holds_it_is_read_or_damaged(content: bytes) -> None:
    for text in (content, b'{"muted": true, "gains_db": {"a": [1, ' + content + b"]}}"):
        with contextlib.suppress(ValueError):
            decode(text)


def test_a_slow_disk_holds_nobody_up_and_the_last_word_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free, real = threading.Event(), write_state

    def slow(path: Path, content: bytes) -> str | None:
        assert free.wait(GUARD_S)
        return real(path, content)

    monkeypatch.setattr("ingestd.system.sound_state.write_state", slow)
    device = Device(tmp_path)
    kept = [device.state.set_mute(on) for on in (True, False, True, False, True)]
    assert device.mute.on
    assert not any(one.done() for one in kept)
    free.set()
    assert [one.result(GUARD_S) for one in kept] == [None] * 5
    assert Device(tmp_path).mute.on


@given(
    st.booleans(),
    st.dictionaries(
        st.sampled_from(["capture_db", "playback_db"]),
        st.tuples(st.floats(-60.0, 30.0), st.floats(-60.0, 30.0)),
    ),
)
def test_what_is_written_is_what_is_read(muted: bool, gains_db: dict[str, tuple[float, float]]) -> None:
    settings = SoundSettings(muted, gains_db)
    assert decode(settings.encode()) == settings
