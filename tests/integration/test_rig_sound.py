"""The virtual cards, seen through the real ALSA API."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import alsaaudio
import numpy as np
import pytest

from tests.rig.align import align
from tests.rig.process import wait_until
from tests.rig.sound import SoundRig, VirtualCard
from tests.rig.speech import TEXTS, speak
from tests.rig.wav import RATE, Pcm, pitch_of, read_wav, rms, silence, tone, write_wav

pytestmark = pytest.mark.waits  # a neighbour that takes the processor is heard

FRAME = 160


def open_pcm(device: str, direction: int) -> Any:
    return alsaaudio.PCM(
        direction,
        alsaaudio.PCM_NORMAL,
        device=device,
        rate=RATE,
        channels=1,
        format=alsaaudio.PCM_FORMAT_S16_LE,
        periodsize=FRAME,
        periods=8,
    )


def capture(device: str, enough: Callable[[Pcm], bool], timeout: float = 30.0) -> tuple[Pcm, float]:
    """Captures until `enough(all)`; returns all and when sample 0 was there."""
    pcm = open_pcm(device, alsaaudio.PCM_CAPTURE)
    heard, earliest, deadline = silence(0), float("inf"), time.monotonic() + timeout
    try:
        while not enough(heard):
            assert time.monotonic() < deadline
            count, data = pcm.read()
            heard = np.concatenate([heard, np.frombuffer(data, dtype="<i2")])
            if count > 0:
                earliest = min(earliest, time.monotonic() - len(heard) / RATE)
    finally:
        pcm.close()
    return heard, earliest


def loud(samples: Pcm, level: float = 0.1) -> Pcm:
    """From the first loud sample to the last."""
    (where,) = np.nonzero(np.abs(samples) > level * 32767)
    return samples[where[0] : where[-1] + 1] if len(where) else samples[:0]


def test_what_is_played_into_the_microphone_is_captured_when_it_should(sound: SoundRig) -> None:
    playback = sound.mic.play(np.concatenate([silence(0.5), tone(1000, 0.5)]))
    heard, start = capture("mic", lambda all_: rms(all_[-800:]) < 0.01 < rms(all_))
    playback.wait()
    burst = loud(heard)
    assert len(burst) == pytest.approx(0.5 * RATE, abs=10)
    assert pitch_of(burst) == pytest.approx(1000, abs=5)
    first = np.argmax(np.abs(heard) > 3000)
    assert start + first / RATE == pytest.approx(playback.started + 0.5, abs=0.1)


def test_speech_passes_a_card_unchanged(sound: SoundRig) -> None:
    spoken = speak(TEXTS[0])
    with sound.mic.record() as heard:
        playback = sound.mic.play(spoken)
        playback.wait()
        wait_until(lambda: heard.started + len(heard.samples()) / RATE > playback.ends + 0.1, 20, "its end")
    found = align(heard.samples(), spoken)
    assert found.correlation > 0.999
    assert heard.started + found.lag_s == pytest.approx(playback.started, abs=0.1)
    first = round(found.lag_s * RATE)
    assert np.array_equal(heard.samples()[first : first + len(spoken)], spoken)


def test_a_wav_file_plays_too(sound: SoundRig, tmp_path: Path) -> None:
    write_wav(tmp_path / "tone.wav", tone(440, 0.4))
    assert read_wav(tmp_path / "tone.wav")[1] == RATE
    with sound.mic.record() as heard:
        playback = sound.mic.play(tmp_path / "tone.wav")
        assert playback.seconds == pytest.approx(0.4)
        assert playback.ends == pytest.approx(playback.started + 0.4)
        playback.wait()
        wait_until(lambda: len(loud(heard.samples())) >= 0.39 * RATE, 20, "the tone")
    assert pitch_of(loud(heard.samples())) == pytest.approx(440, abs=5)


def test_a_playback_can_be_broken_off(sound: SoundRig) -> None:
    playback = sound.mic.play(tone(440, 60))
    playback.stop()
    assert time.monotonic() < playback.ends


def test_what_alsa_plays_comes_out_of_the_speaker(sound: SoundRig) -> None:
    with sound.speaker.record() as heard:
        heard.wait_for(0.1, 20)
        pcm = open_pcm("speaker", alsaaudio.PCM_PLAYBACK)
        started = time.monotonic()
        pcm.write(tone(700, 0.1).tobytes())
        for _ in range(10):
            pcm.write(tone(700, 0.02).tobytes())
        wait_until(lambda: len(loud(heard.samples())) >= 0.29 * RATE, 20, "the tone")
        pcm.drop()
        pcm.close()
    assert pitch_of(loud(heard.samples())) == pytest.approx(700, abs=5)
    first = np.argmax(np.abs(heard.samples()) > 3000)
    assert heard.started + first / RATE == pytest.approx(started, abs=0.2)


def test_default_is_the_microphone_and_the_speaker(sound: SoundRig) -> None:
    playback = sound.mic.play(tone(900, 1))
    heard, _ = capture("default", lambda all_: len(loud(all_)) >= 0.3 * RATE)
    playback.stop()
    assert pitch_of(loud(heard)) == pytest.approx(900, abs=5)


def repeat(call: Callable[[], object]) -> None:
    """Two seconds of frames."""
    for _ in range(100):
        call()


@pytest.mark.parametrize("hard", [False, True])
def test_unplugging_fails_the_reader_and_replugging_mends_it(sound: SoundRig, hard: bool) -> None:
    pcm = open_pcm("mic", alsaaudio.PCM_CAPTURE)
    assert pcm.read()[0] > 0
    sound.mic.unplug(hard=hard)
    with pytest.raises(alsaaudio.ALSAAudioError):
        repeat(pcm.read)
    pcm.close()
    with pytest.raises(alsaaudio.ALSAAudioError):
        open_pcm("mic", alsaaudio.PCM_CAPTURE)
    with sound.speaker.record() as other:  # the other device never noticed
        other.wait_for(0.05, 20)
    sound.mic.replug()
    heard, _ = capture("mic", lambda all_: len(all_) > FRAME)
    assert len(heard) > FRAME


def test_unplugging_fails_the_writer(sound: SoundRig) -> None:
    pcm = open_pcm("speaker", alsaaudio.PCM_PLAYBACK)
    pcm.write(bytes(2 * FRAME))
    sound.speaker.unplug()
    with pytest.raises(alsaaudio.ALSAAudioError):
        repeat(lambda: pcm.write(bytes(2 * FRAME)))
    pcm.drop()
    pcm.close()


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose name leaves room for that of a socket."""
    with tempfile.TemporaryDirectory(prefix="killed-") as folder:
        yield Path(folder)


def test_a_killed_test_leaves_no_process(short_path: Path) -> None:
    script = "from tests.rig.sound import SoundRig\nSoundRig().__enter__()\nprint('up', flush=True)\ninput()"
    root = Path(__file__).parents[2]
    victim = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=root,
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(short_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert victim.stdout is not None
    assert victim.stdout.readline() == b"up\n"
    assert running_with(str(short_path))
    victim.kill()
    victim.communicate()
    wait_until(lambda: not running_with(str(short_path)), 20, "the end of its PulseAudio")


def running_with(text: str) -> list[str]:
    """The command lines that contain it."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_text()
        except OSError:
            continue
        if text in line:
            found.append(line)
    return found


def test_a_folder_too_deep_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="too long for a socket"):
        VirtualCard("mic", tmp_path / ("deep" * 30))
