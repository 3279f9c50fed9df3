"""What local programs can do to the sound."""

from __future__ import annotations

from typing import Any

import pytest

from ingestd.control.protocol import INVALID_PARAMS, RpcError
from ingestd.control.server import Method
from ingestd.control.sound_methods import sound_methods
from ingestd.core.level import Gain, Mute


class Sound:
    def __init__(self) -> None:
        self.capture, self.playback, self.mute = Gain(3.0), Gain(), Mute()
        self.methods: dict[str, Method] = sound_methods(self.capture, self.playback, self.mute)


@pytest.fixture
def sound() -> Sound:
    return Sound()


def test_mute_stays_until_unmute(sound: Sound) -> None:
    for method, on in (("mute", True), ("mute", True), ("unmute", False), ("unmute", False)):
        assert sound.methods[method]({}) is True
        assert sound.mute.on is on


def test_gain_sets_what_is_given_and_tells_what_is_so(sound: Sound) -> None:
    gain = sound.methods["gain"]
    assert gain({}) == {"capture_db": 3.0, "playback_db": 0.0}
    assert gain({"playback_db": -60}) == {"capture_db": 3.0, "playback_db": -60.0}
    assert gain({"capture_db": 30, "playback_db": 1.5}) == {"capture_db": 30.0, "playback_db": 1.5}
    assert (sound.capture.gain_db, sound.playback.gain_db) == (30.0, 1.5)


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
