"""What local programs can do to the sound."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from ingestd.control.protocol import INVALID_PARAMS, RpcError
from ingestd.control.server import Method
from ingestd.control.sound_methods import sound_methods
from ingestd.core.level import Gain, Mute
from ingestd.core.soundsettings import decode
from ingestd.system.sound_state import FILE, SoundState
from tests.unit.peers import GUARD_S


class Sound:
    def __init__(self, folder: Path | None) -> None:
        self.capture, self.playback, self.mute = Gain(3.0), Gain(), Mute()
        gains = {"capture_db": self.capture, "playback_db": self.playback}
        self.state = SoundState([folder], gains, self.mute, lambda: {"capture_db": 3.0, "playback_db": 0.0})
        self.methods: dict[str, Method] = sound_methods(self.state)

    def ask(self, method: str, **params: Any) -> Any:
        answer = self.methods[method](params)
        return answer.result(GUARD_S) if isinstance(answer, Future) else answer


@pytest.fixture
def sound(tmp_path: Path) -> Sound:
    return Sound(tmp_path)


def test_mute_stays_until_unmute_and_is_answered_when_it_is_kept(sound: Sound, tmp_path: Path) -> None:
    for method, on in (("mute", True), ("mute", True), ("unmute", False), ("unmute", False)):
        assert sound.ask(method) == {"muted": on, "kept": True}
        assert sound.mute.on is on
        assert decode((tmp_path / FILE).read_bytes()).muted is on


def test_gain_sets_what_is_given_and_tells_what_is_so(sound: Sound) -> None:
    assert sound.ask("gain") == {"capture_db": 3.0, "playback_db": 0.0}
    assert sound.ask("gain", playback_db=-60) == {"capture_db": 3.0, "playback_db": -60.0, "kept": True}
    assert sound.ask("gain", capture_db=30, playback_db=1.5) == {"capture_db": 30.0, "playback_db": 1.5, "kept": True}
    assert (sound.capture.gain_db, sound.playback.gain_db) == (30.0, 1.5)


def test_where_nothing_can_be_kept_it_holds_all_the_same_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    places = (None, "no state directory"), (tmp_path / "absent", "can't write"), (tmp_path / "file", "can't write")
    for folder, why in places:
        sound = Sound(folder)
        answer = sound.ask("mute")
        assert (answer["muted"], answer["kept"], sound.mute.on) == (True, False, True)
        assert why in answer["why"]
        answer = sound.ask("gain", capture_db=1)
        assert (answer["capture_db"], answer["kept"]) == (1.0, False)


@pytest.mark.parametrize(
    "params",
    [
        {"capture_db": 30.1},
        {"capture_db": -61},
        {"capture_db": 1e400},
        {"capture_db": float("nan")},
        {"capture_db": 10**400},
        {"capture_db": "6"},
        {"capture_db": True},
        {"capture_db": None},
        {"playback_db": 6, "capture_db": []},
        {"capture": 6},
        {"playback_db": 6, "volume": 11},
    ],
    ids=lambda params: str(params)[:40],
)
def test_a_gain_that_cannot_be_changes_nothing(params: dict[str, Any], sound: Sound) -> None:
    with pytest.raises(RpcError, match="capture") as raised:
        sound.methods["gain"](params)
    assert raised.value.code == INVALID_PARAMS
    assert (sound.capture.gain_db, sound.playback.gain_db) == (3.0, 0.0)
