"""A device that is there but can't be used needs a person: it is told apart, and opened ever more seldom."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from ingestd.audio.alsa import AlsaSink, AlsaSource
from ingestd.core.playout import Playout
from ingestd.errors import DeviceError, UnfitDeviceError
from ingestd.threads.capture import CaptureThread, Microphone
from ingestd.threads.speaker import Speaker
from tests.rig.fixed_pcm import FixedHardware
from tests.rig.scripted_ports import ScriptedSink, ScriptedSource
from tests.unit.odd_pcm import every_device_is_odd
from tests.unit.threads_case import Post

UNFIT = UnfitDeviceError("it has two channels")
ABSENT = DeviceError("can't open it: absent")
RETRY_S = UnfitDeviceError.RETRY_S
BY_AND_BY = 7
"""Tries until they are as far apart as they get: 0.5, 1, 2, 4, 8, 16 seconds and then 30."""


class Waits(threading.Event):
    """Time that passes at once, until it is set after so many seconds; what was waited for is kept."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._left_s = seconds
        self.longest_s = 0.0

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.longest_s = max(self.longest_s, timeout)
        self._left_s -= timeout
        if self._left_s <= 0:
            self.set()
        return self.is_set()


class SpeakerCase:
    def __init__(self) -> None:
        self.now = 1000.0
        self.sink = ScriptedSink()
        self.speaker = Speaker(self.sink, Playout(400), Post().box, clock=lambda: self.now)

    def openings(self, reason: DeviceError | None, seconds: float) -> int:
        """How often it is opened in so many seconds, in vain where there is a reason."""
        self.sink.absent = reason
        before, end_s = self.sink.opened, self.now + seconds
        while self.now < end_s:
            self.now = self.speaker.feed(self.now)
        return self.sink.opened - before


def microphone_openings(reason: DeviceError, seconds: float) -> tuple[int, Waits]:
    source = ScriptedSource()
    source.absent = reason
    thread = CaptureThread(source, Microphone(), Post().box)
    thread._stopping = waits = Waits(seconds)
    thread.run_until_stopped()
    return source.opened, waits


def test_an_unfit_speaker_is_opened_ever_more_seldom() -> None:
    case = SpeakerCase()
    seconds = 20 * RETRY_S
    assert 20 <= case.openings(UNFIT, seconds) <= 20 + BY_AND_BY
    case.openings(None, RETRY_S + 1)
    assert not case.speaker.lost, "another one by its name is found"


def test_a_speaker_that_is_only_absent_is_looked_for_as_ever_even_after_an_unfit_one() -> None:
    case = SpeakerCase()
    case.openings(UNFIT, 10 * RETRY_S)
    case.openings(ABSENT, RETRY_S)
    assert case.openings(ABSENT, 60) >= 110
    assert case.openings(UNFIT, 10) >= 4, "and the next unfit one is tried soon at first"


def test_an_unfit_microphone_is_opened_ever_more_seldom() -> None:
    opened, waits = microphone_openings(UNFIT, 20 * RETRY_S)
    assert 20 <= opened <= 20 + BY_AND_BY
    assert waits.longest_s <= 1, "and its thread is seen to live meanwhile"


def test_a_microphone_that_is_only_absent_is_looked_for_as_ever() -> None:
    assert microphone_openings(ABSENT, 60)[0] >= 110


@pytest.fixture
def stereo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FixedHardware:
    fixed = FixedHardware(tmp_path)
    fixed.add("stereo", channels=2)
    fixed.show(threading.get_native_id(), "c", channels=2)
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(fixed.settings))
    return fixed


def test_a_channel_that_the_hardware_has_not_makes_it_unfit(stereo: FixedHardware) -> None:
    source = AlsaSource("stereo", 9, proc_asound=stereo.proc_asound)
    with pytest.raises(UnfitDeviceError, match="write mix or 1 to 2; it is tried again every 30 s"):
        source.open()
    source.close()


@pytest.mark.parametrize("make", [AlsaSource, AlsaSink])
def test_what_alsa_can_not_convert_is_unfit(
    monkeypatch: pytest.MonkeyPatch, make: type[AlsaSource] | type[AlsaSink]
) -> None:
    with every_device_is_odd(monkeypatch) as pcm:
        pcm.details |= {"rate": 44100}
        with pytest.raises(UnfitDeviceError, match="tried again every 30 s"):
            make("hw:1").open()


@pytest.mark.parametrize("make", [AlsaSource, AlsaSink])
def test_what_is_absent_is_not_unfit(make: type[AlsaSource] | type[AlsaSink]) -> None:
    device = make("absent")
    for _ in range(2):  # by pyalsaaudio, then in passing
        with pytest.raises(DeviceError) as raised:
            device.open()
        assert not isinstance(raised.value, UnfitDeviceError)
