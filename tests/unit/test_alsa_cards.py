"""The ALSA adapter on virtual cards of two channels and other rates, with their mixers."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from ingestd.audio.alsa import AlsaSink, AlsaSource, MixerLevel
from tests.rig.process import wait_until
from tests.rig.sound import SoundRig
from tests.rig.wav import RATE, Pcm, tone
from tests.unit.descriptors import left_open, open_descriptors
from tests.unit.peers import GUARD_S

pytestmark = pytest.mark.waits  # a neighbour that takes the processor is heard

LEFT_HZ, RIGHT_HZ = 1000.0, 600.0


@contextmanager
def rig_of(monkeypatch: pytest.MonkeyPatch, rate: int = RATE, channels: int = 2) -> Iterator[SoundRig]:
    with SoundRig(rate=rate, channels=channels) as rig:
        for name, value in rig.env().items():
            monkeypatch.setenv(name, value)
        yield rig


@pytest.fixture(scope="module", params=[(48000, 2), (44100, 2), (8000, 2)], ids=lambda card: f"{card[0]} Hz")
def stereo(request: pytest.FixtureRequest) -> Iterator[SoundRig]:
    with pytest.MonkeyPatch.context() as monkeypatch, rig_of(monkeypatch, *request.param) as rig:
        sides = [tone(LEFT_HZ, 60, 0.5), tone(RIGHT_HZ, 60, 0.25)]
        playback = rig.mic.play(np.stack(sides, axis=1), latency_ms=2000)
        yield rig
        playback.stop()


def amplitude(samples: Pcm, hertz: float) -> float:
    """Of one tone in it; 1.0 is full scale."""
    phase = 2j * np.pi * hertz * np.arange(len(samples)) / RATE
    return float(2 * abs(np.mean(samples / 32768 * np.exp(-phase))))


@contextmanager
def listening(channel: Any) -> Iterator[AlsaSource]:
    """A source of that channel, without its first tenth of a second."""
    source = AlsaSource("mic", channel)
    source.open()
    try:
        captured(source, 800)
        yield source
    finally:
        source.close()


def captured(source: AlsaSource, samples: int) -> Pcm:
    """What a source gives next; of the last block as much as is wanted."""
    pcm = bytearray()
    deadline_s = time.monotonic() + GUARD_S
    while len(pcm) < 2 * samples:
        assert time.monotonic() < deadline_s
        if (block := source.read(0.1)) is not None:
            pcm += block.pcm
    return np.frombuffer(pcm, dtype="<i2")[:samples]


def hear(source: AlsaSource, left: float, right: float) -> None:
    """Half a second of both tones, whole and in each tenth of it; what a late moment has torn is heard once more."""
    deadline_s = time.monotonic() + GUARD_S
    while True:
        half_second = captured(source, 4000)
        parts = [half_second, *np.split(half_second, 10)]
        heard = [(amplitude(part, LEFT_HZ), amplitude(part, RIGHT_HZ)) for part in parts]
        if np.allclose(heard, (left, right), rtol=0, atol=0.01):
            return
        assert time.monotonic() < deadline_s, heard


@pytest.mark.parametrize(
    ("channel", "left", "right"),
    [("mix", 0.25, 0.125), ("left", 0.5, 0), ("right", 0, 0.25), (1, 0.5, 0), (2, 0, 0.25)],
)
def test_each_side_is_what_it_was(stereo: SoundRig, channel: Any, left: float, right: float) -> None:
    with listening(channel) as source:
        hear(source, left, right)


def test_a_card_of_one_channel_is_mixed_to_itself(sound: SoundRig) -> None:
    playback = sound.mic.play(tone(LEFT_HZ, 30, 0.5), latency_ms=2000)
    with listening("mix") as source:
        hear(source, 0.5, 0)
    playback.stop()


# --- mixers ---------------------------------------------------------------------------------------------------------


def volume(card: Any, kind: str) -> tuple[list[int], bool]:
    """Per cent of each channel and whether it is on, as another program sees it."""
    said = subprocess.run(
        ["pactl", "list", "sources" if kind == "capture" else "sinks"],
        env={**os.environ, **card.environment(), "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (levels,) = re.findall(r"^\tVolume: (.*)", said, re.MULTILINE)
    return [int(per_cent) for per_cent in re.findall(r"(\d+)%", levels)], "Mute: no" in said


def mute(card: Any, kind: str) -> None:
    words = ["set-source-mute", "card.monitor"] if kind == "capture" else ["set-sink-mute", "card"]
    subprocess.run(["pactl", *words, "1"], env={**os.environ, **card.environment()}, check=True)


@pytest.mark.parametrize("kind", ["capture", "playback"])
def test_the_mixer_is_set_and_unmuted_at_every_opening(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    with rig_of(monkeypatch) as rig:
        device: AlsaSource | AlsaSink
        if kind == "capture":
            card, device = rig.mic, AlsaSource("mic", mixer=MixerLevel("Capture", 37))
        else:
            card, device = rig.speaker, AlsaSink("speaker", MixerLevel("Master", 37))
        mute(card, kind)
        assert volume(card, kind) == ([100, 100], False)
        assert device.open().warnings == ()
        wait_until(lambda: volume(card, kind) == ([37, 37], True), GUARD_S, "the level", every=0.05)
        device.close()
        card.unplug(hard=True)
        card.replug()
        mute(card, kind)
        assert volume(card, kind) == ([100, 100], False)
        assert device.open().warnings == ()
        wait_until(lambda: volume(card, kind) == ([37, 37], True), GUARD_S, "the level again", every=0.05)
        device.close()


def test_a_level_of_null_only_unmutes(monkeypatch: pytest.MonkeyPatch) -> None:
    with rig_of(monkeypatch) as rig:
        mute(rig.mic, "capture")
        source = AlsaSource("plug:mic", mixer=MixerLevel("Capture,0"))
        assert source.open().warnings == ()
        wait_until(lambda: volume(rig.mic, "capture") == ([100, 100], True), GUARD_S, "it", every=0.05)
        source.close()


@pytest.mark.parametrize(
    ("control", "why"),
    [
        ("Mike", "'mic' has 'Capture', 'Master'"),
        ("Capture,7", "Unable to find mixer control Capture,7"),
        ("Master", "it has no capture level"),
    ],
)
def test_a_control_that_is_not_there_is_told_and_there_is_audio(sound: SoundRig, control: str, why: str) -> None:
    source = AlsaSource("mic", mixer=MixerLevel(control, 50))
    (warning,) = source.open().warnings
    assert warning.startswith(f"mixer control {control!r} for capture device 'mic' is not set: ")
    assert why in warning
    wait_until(lambda: source.read(0.1), GUARD_S, "audio")
    source.close()


def test_opening_and_closing_leaves_nothing_open(sound: SoundRig) -> None:
    def opened() -> list[str]:
        for device in (AlsaSource("mic", mixer=MixerLevel("Capture", 50)), AlsaSink("speaker", MixerLevel("No", 1))):
            device.open()
            device.close()
        return open_descriptors()

    before = opened()
    opened()
    wait_until(lambda: not left_open(before), GUARD_S, "all to be closed")  # PulseAudio has a thread of its own
