"""What the configuration says of the sound devices reaches them: the channel that is sent, and both mixers."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.rig.alsa_device import alsa_device
from tests.rig.process import wait_until
from tests.rig.sound import SoundRig, VirtualCard
from tests.rig.wav import Pcm, pitch_of, tone
from tests.standin.client import StandIn

GUARD_S = 30.0
LEFT_HZ, RIGHT_HZ = 1000.0, 600.0
SETTINGS = """\
audio:
  capture: {channel: right, mixer: {control: Capture, level_percent: 90}}
  playback: {mixer: {control: Loudspeaker, level_percent: 50}}
"""


@pytest.fixture
def stereo(monkeypatch: pytest.MonkeyPatch) -> Iterator[SoundRig]:
    with SoundRig(rate=48000, channels=2) as rig:
        for name, value in rig.env().items():
            monkeypatch.setenv(name, value)
        yield rig


def microphone(card: VirtualCard, *set_mute: str) -> str:
    """What another program sees of it, after it muted it where told to."""
    env = {**os.environ, **card.environment(), "LC_ALL": "C"}
    if set_mute:
        subprocess.run(["pactl", "set-source-mute", "card.monitor", *set_mute], env=env, check=True)
    listed = subprocess.run(["pactl", "list", "sources"], env=env, capture_output=True, text=True, check=True).stdout
    return " ".join(re.findall(r"Mute: \w+|\d+%", listed))


def test_the_room_hears_the_channel_and_the_level_that_were_set(tmp_path: Path, stereo: SoundRig) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "devices.yaml").write_text(SETTINGS)
    assert microphone(stereo.mic, "1").startswith("Mute: yes 100% 100%")
    playback = stereo.mic.play(np.stack([tone(LEFT_HZ, 60), tone(RIGHT_HZ, 60)], axis=1))
    with StandIn(tls=True) as room, alsa_device(room, tmp_path) as device:
        room.wait_joined()
        wait_until(lambda: not device.lost("capture") and not device.lost("playback"), GUARD_S, "both devices")

        def a_second() -> list[Pcm]:
            """Of sound: before the microphone was there, and where it was late, there is silence."""
            samples = room.received(0).samples[-8000:]
            return [samples] if len(samples) == 8000 and samples.reshape(-1, 160).any(axis=1).all() else []

        (heard,) = wait_until(a_second, GUARD_S, "a second of sound", every=0.1)
        warnings = {kind: device.status()["devices"][kind]["warnings"] for kind in ("capture", "playback")}
        (warning,) = warnings["playback"]
        # There is audio all the same, and somebody is told: by another thread than the one that knew first.
        wait_until(lambda: warning in device.log(), GUARD_S, "the warning in the log")
    playback.stop()
    assert pitch_of(heard) == pytest.approx(RIGHT_HZ, abs=5)
    assert microphone(stereo.mic).startswith("Mute: no 90% 90%")
    assert warnings["capture"] == []
    assert "'Loudspeaker'" in warning
    assert "has 'Capture', 'Master'" in warning
