"""The ALSA adapter on a real, if virtual, sound card; odd answers of the library are in test_alsa_oddities."""

from __future__ import annotations

import time

import pytest

from ingestd.audio.alsa import AlsaSink, AlsaSource
from ingestd.audio.ports import Block
from ingestd.errors import DeviceError
from tests.rig.process import wait_until
from tests.rig.sound import SoundRig
from tests.unit.peers import GUARD_S

pytestmark = pytest.mark.waits  # a neighbour that takes the processor is heard


def read_for(source: AlsaSource, samples: int) -> list[Block]:
    """Blocks until there are so many samples."""
    blocks: list[Block] = []
    deadline_s = time.monotonic() + GUARD_S
    while sum(len(block.pcm) // 2 for block in blocks) < samples:
        assert time.monotonic() < deadline_s, "too few samples"
        if (block := source.read(0.1)) is not None:
            blocks.append(block)
    return blocks


def play_on(sink: AlsaSink) -> None:
    """As the receiver does, until it fails."""
    deadline_s = time.monotonic() + GUARD_S
    while time.monotonic() < deadline_s:
        sink.queued()
        sink.write(bytes(1600))
        time.sleep(0.02)


def test_capture_from_open_to_unplug(sound: SoundRig) -> None:
    source = AlsaSource("mic")
    with pytest.raises(DeviceError, match=r"can't open capture device 'absent'.*ingestctl devices"):
        AlsaSource("absent").open()
    negotiated = source.open()
    assert negotiated.device == "mic"
    assert 0 < negotiated.period_samples < negotiated.buffer_samples
    begun_s = time.monotonic()
    blocks = read_for(source, 4000)
    elapsed_s = time.monotonic() - begun_s
    assert all(block.pcm and len(block.pcm) % 2 == 0 for block in blocks)
    times = [block.time_s for block in blocks]
    assert times == sorted(times)
    assert begun_s <= times[0] <= times[-1] <= time.monotonic()
    assert sum(len(block.pcm) for block in blocks) / 2 / 8000 < elapsed_s + 1.5, "it keeps real time"
    sound.mic.unplug(hard=True)
    with pytest.raises(DeviceError, match="capture device 'mic'"):
        read_for(source, 100 * 8000)
    source.close()
    source.close()
    with pytest.raises(DeviceError, match="can't open capture device 'mic'"):
        source.open()
    sound.mic.replug()
    assert source.open() == negotiated, "the same object serves the device again"
    assert read_for(source, 160)
    source.close()


def test_playback_from_open_to_unplug(sound: SoundRig) -> None:
    sink = AlsaSink("speaker")
    with pytest.raises(DeviceError, match=r"can't open playback device 'absent'.*ingestctl devices"):
        AlsaSink("absent").open()
    negotiated = sink.open()
    buffer = negotiated.buffer_samples
    assert sink.queued() == 0
    assert sink.write(bytes(2 * buffer)) == buffer
    assert 0 <= sink.queued() <= buffer
    refills = 0

    def is_playing() -> bool:
        nonlocal refills
        queued = sink.queued()
        if not queued:
            refills += sink.write(bytes(2 * buffer)) > 0  # this machine stood still until it had run dry
        return 0 < queued < buffer

    wait_until(is_playing, GUARD_S, "it to play", every=0.001)
    assert sink.underruns <= refills
    wait_until(lambda: sink.queued() == 0, GUARD_S, "it to run dry")
    wait_until(lambda: (sink.write(bytes(1600)), sink.underruns)[1] >= 1, GUARD_S, "the underrun", every=0.3)
    sound.speaker.unplug(hard=True)
    with pytest.raises(DeviceError, match="playback device 'speaker'"):
        play_on(sink)
    sink.close()
    sink.close()
    sound.speaker.replug()
    assert sink.open() == negotiated
    assert sink.write(bytes(1600)) == 800
    sink.close()


def test_what_is_played_is_what_is_heard(sound: SoundRig) -> None:
    sink = AlsaSink("speaker")
    sink.open()
    with sound.speaker.record() as heard:
        loud = (8000).to_bytes(2, "little") * 1600
        deadline_s = time.monotonic() + GUARD_S
        while not (heard.samples() > 7000).any():
            assert time.monotonic() < deadline_s
            if sink.queued() < 800:
                sink.write(loud)
            time.sleep(0.005)
    sink.close()


def test_an_absent_device_writes_nothing_to_standard_error(sound: SoundRig, capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("absent", "hw:7,7", "plug:absent", "plughw:CARD=none"):
        for device in (AlsaSource(name), AlsaSink(name)):
            with pytest.raises(DeviceError, match="can't open"):
                device.open()
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
