"""Hardware that knows neither 8 kHz nor 16 bits nor mono: ALSA converts, and what is behind it is told."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingestd.audio.alsa import AlsaSink, AlsaSource, MixerLevel
from ingestd.audio.alsa_source import AlsaSource as Source
from ingestd.errors import DeviceError
from tests.rig.fixed_pcm import FixedHardware
from tests.rig.process import wait_until
from tests.unit.peers import GUARD_S


@pytest.fixture
def hardware(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FixedHardware:
    fixed = FixedHardware(tmp_path)
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(fixed.settings))
    return fixed


@pytest.fixture
def source_of(hardware: FixedHardware) -> Iterator[Callable[..., AlsaSource]]:
    sources: list[AlsaSource] = []

    def make(*arguments: Any) -> AlsaSource:
        sources.append(AlsaSource(*arguments, proc_asound=hardware.proc_asound))
        return sources[-1]

    yield make
    for source in sources:
        source.close()


def level_of(source: AlsaSource) -> float:
    """Of what it reads, once the converter has settled."""
    pcm = bytearray()
    deadline_s = time.monotonic() + GUARD_S
    while len(pcm) < 2 * 4000:
        assert time.monotonic() < deadline_s
        if (block := source.read(0.1)) is not None:
            pcm += block.pcm
    return float(np.median(np.frombuffer(pcm, dtype="<i2")[800:]))


@pytest.mark.parametrize(("rate_hz", "form"), [(48000, "S32_LE"), (44100, "S16_LE"), (16000, "S24_LE")])
def test_a_microphone_that_refuses_everything_is_converted(
    hardware: FixedHardware, source_of: Callable[..., AlsaSource], rate_hz: int, form: str
) -> None:
    hardware.add("card", rate_hz, 2, form)
    hardware.show(threading.get_native_id(), "c", rate_hz)
    source = source_of("card")
    negotiated = source.open()
    assert negotiated.device == "plug:'card'"
    assert (negotiated.hardware_rate_hz, negotiated.hardware_channels) == (rate_hz, 2)
    assert negotiated.converter == "speexrate"
    assert negotiated.warnings == ()
    assert level_of(source) == pytest.approx(1500, abs=3)


@pytest.mark.parametrize("name", ["it's", "two words", "one,two"])
def test_names_that_alsa_would_take_apart_are_quoted(
    hardware: FixedHardware, source_of: Callable[..., AlsaSource], name: str
) -> None:
    hardware.add(name)
    assert source_of(name).open().device.startswith("plug:")


@pytest.mark.parametrize(
    ("channel", "level"), [("mix", 2500), ("left", 1000), ("right", 2000), (3, 3000), (4, 4000), (1, 1000)]
)
def test_the_hardwares_own_channels_are_what_is_chosen_from(
    hardware: FixedHardware, source_of: Callable[..., AlsaSource], channel: Any, level: int
) -> None:
    hardware.add("array", channels=4)
    hardware.show(threading.get_native_id(), "c", channels=4)
    source = source_of("array", channel)
    assert source.open().hardware_channels == 4
    assert level_of(source) == pytest.approx(level, abs=5)


@pytest.mark.parametrize(("channels", "channel"), [(4, 5), (1, "right"), (1, 2)])
def test_a_channel_that_alsa_would_make_up_is_not_there(
    hardware: FixedHardware, source_of: Callable[..., AlsaSource], channels: int, channel: Any
) -> None:
    hardware.add("card", channels=channels)
    hardware.show(threading.get_native_id(), "c", channels=channels)
    with pytest.raises(DeviceError, match=f"'card' has (4|one) channels?, .* is {channel}: write mix"):
        source_of("card", channel).open()


def test_hardware_of_one_channel_gives_that(
    hardware: FixedHardware, source_of: Callable[..., AlsaSource]
) -> None:
    hardware.add("card", 8000, 1, "S16_LE")
    hardware.show(threading.get_native_id(), "c", 8000, 1)
    source = source_of("card")
    negotiated = source.open()
    assert negotiated.device == "card"
    assert (negotiated.hardware_rate_hz, negotiated.hardware_channels, negotiated.converter) == (8000, 1, None)
    assert level_of(source) == 1000


def test_a_speaker_that_refuses_everything_is_converted(hardware: FixedHardware) -> None:
    hardware.add("card")
    hardware.show(threading.get_native_id(), "p")
    sink = AlsaSink("card", proc_asound=hardware.proc_asound)
    negotiated = sink.open()
    assert negotiated.device == "plug:'card'"
    assert (negotiated.hardware_rate_hz, negotiated.hardware_channels) == (48000, 2)
    assert negotiated.converter == "speexrate"
    sink.write(array("h", [5000] * 1600).tobytes())
    wait_until(lambda: sink.queued() == 0, GUARD_S, "it to be played")
    sink.close()
    played = np.frombuffer(hardware.played("card").read_bytes(), dtype="<i4").reshape(-1, 2)
    assert np.array_equal(played[:, 0], played[:, 1]), "both loudspeakers"
    assert np.median(played) == pytest.approx(5000 << 16, rel=0.01)


def test_the_poor_converter_is_told(hardware: FixedHardware) -> None:
    hardware.add("card")
    with hardware.settings.open("a") as settings:
        settings.write('defaults.pcm.rate_converter "linear"\n')
    hardware.show(0, "c")
    # In a process of its own: here the good one is loaded, perhaps, and stays.
    script = (
        "import sys, threading; from pathlib import Path; from ingestd.audio.alsa import AlsaSource\n"
        "status = Path(sys.argv[1]) / 'card1/pcm0c/sub0/status'\n"
        "status.write_text(f'owner_pid   : {threading.get_native_id()}')\n"
        "got = AlsaSource('card', proc_asound=Path(sys.argv[1])).open()\n"
        "print(got.converter, *got.warnings, sep='\\n')"
    )
    command = [sys.executable, "-c", script, str(hardware.proc_asound)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ).stdout
    assert said.splitlines()[0] == "linear"
    assert "'card' runs at 48000 Hz" in said
    assert "libasound2-plugins" in said


def test_a_device_without_a_mixer_is_told(hardware: FixedHardware) -> None:
    hardware.add("card")
    sink = AlsaSink("card", MixerLevel("PCM", 50))
    (warning,) = sink.open().warnings
    assert warning.startswith("mixer control 'PCM' for playback device 'card' is not set: there is no mixer")
    sink.close()


def test_a_device_whose_poll_never_rests_does_not_spin(
    hardware: FixedHardware, source_of: Callable[..., AlsaSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    hardware.add("card")
    reads = 0
    read_some = Source._read_some

    def counted(source: Source) -> tuple[int, bytes]:
        nonlocal reads
        reads += 1
        return read_some(source)

    monkeypatch.setattr(Source, "_read_some", counted)
    source = source_of("card")
    source.open()
    assert level_of(source)  # half a second
    assert 25 <= reads <= 0.5 / 0.004 * 2
