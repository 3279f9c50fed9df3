"""Looking for a device that is absent, busy or hangs: every fault has its words, and nobody else waits."""

from __future__ import annotations

import errno
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import alsaaudio
import pytest

from ingestd.audio import libasound
from ingestd.audio.alsa import AlsaSink, AlsaSource
from ingestd.errors import DeviceError
from tests.rig.busy_pcm import OtherProgram
from tests.rig.fixed_pcm import FixedHardware
from tests.rig.sound import SoundRig
from tests.unit.peers import GUARD_S

REPO = Path(__file__).parents[2]
CAPTURE, PLAYBACK = alsaaudio.PCM_CAPTURE, alsaaudio.PCM_PLAYBACK
Make = Callable[[str], AlsaSource | AlsaSink]
BOTH = pytest.mark.parametrize("make", [AlsaSource, AlsaSink])


@pytest.fixture
def hardware(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FixedHardware:
    fixed = FixedHardware(tmp_path)
    fixed.add("card", 8000, 1, "S16_LE")
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(fixed.settings))
    return fixed


def why_not(device: AlsaSource | AlsaSink) -> str:
    with pytest.raises(DeviceError) as raised:
        device.open()
    device.close()
    return str(raised.value)


@BOTH
@pytest.mark.parametrize("name", ["absent", "hw:7,7", "plughw:CARD=none"])
def test_an_absent_device_is_told_the_same_however_it_is_found_absent(make: Make, name: str) -> None:
    device = make(name)
    kind = "capture" if make is AlsaSource else "playback"
    first = why_not(device)
    assert first.startswith(f"can't open {kind} device {name!r}: No such ")
    assert first.endswith("is it plugged in? `ingestctl devices` lists the names there are")
    assert why_not(device) == first, "by pyalsaaudio, then in passing"


@BOTH
def test_a_busy_device_is_told_and_opened_once_it_is_free(
    hardware: FixedHardware, tmp_path: Path, make: Make
) -> None:
    other = OtherProgram(tmp_path)
    with hardware.settings.open("a") as settings:
        settings.write(other.alsa_definition(taken="card"))
    other.hold()
    device = make("taken")
    for _ in range(2):
        told = why_not(device)
        assert "'taken': Device or resource busy; another program has it; `fuser -v /dev/snd/*` says which" in told
    other.let_go()
    assert device.open().device == "taken"
    device.close()


@BOTH
@pytest.mark.parametrize(
    ("code", "hint"),
    [
        (errno.EACCES, "this user has to be in the group audio"),
        (errno.EPERM, "this user has to be in the group audio"),
        (errno.EIO, "see that it is plugged in"),
        (errno.ECONNREFUSED, "see that its sound server runs"),
        (errno.ENOMEM, "lists the names there are"),
    ],
)
def test_each_fault_says_what_to_do(monkeypatch: pytest.MonkeyPatch, make: Make, code: int, hint: str) -> None:
    monkeypatch.setattr(libasound, "probe", lambda *_: code)
    device = make("absent")
    why_not(device)
    assert hint in (told := why_not(device))
    assert not told.endswith("?"), "what is done about it follows"


def test_pyalsaaudio_is_not_asked_again_for_what_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def pcm(*_args: object, device: str, **_options: object) -> None:
        asked.append(device)
        raise alsaaudio.ALSAAudioError(f"No such device [{device}]")

    monkeypatch.setattr(alsaaudio, "PCM", pcm)
    source = AlsaSource("absent")
    for _ in range(5):
        why_not(source)
    assert asked == ["absent"], "each of its failures leaks"


@pytest.mark.parametrize("direction", [CAPTURE, PLAYBACK])
def test_what_is_there_can_be_opened(hardware: FixedHardware, direction: int) -> None:
    assert libasound.probe("card", direction, 1) == 0
    assert libasound.probe("absent", direction, 1) == errno.ENOENT


@pytest.mark.parametrize("direction", [CAPTURE, PLAYBACK])
@pytest.mark.parametrize("unlike", [(48_000, 1, "S16_LE"), (8000, 6, "S16_LE"), (8000, 1, "S32_LE")])
def test_what_is_not_as_asked_is_there(hardware: FixedHardware, unlike: tuple[int, int, str], direction: int) -> None:
    """ALSA's plug makes it so."""
    hardware.add("other", *unlike)
    assert libasound.probe("other", direction, 1) == 0


def test_a_device_that_is_gone_from_its_sound_server_is_found_absent_in_passing(
    sound: SoundRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server answers, so that it can be opened; nothing but setting it up tells."""
    for card, direction in ((sound.mic, CAPTURE), (sound.speaker, PLAYBACK)):
        assert libasound.probe(card.name, direction, 2) == 0
        card.unplug()
        assert libasound.probe(card.name, direction, 2) == errno.EIO
    source = AlsaSource("mic")
    first = why_not(source)
    monkeypatch.setattr(alsaaudio, "PCM", lambda *_args, **_options: pytest.fail("pyalsaaudio was asked"))
    assert why_not(source) == first


def test_a_search_that_hangs_stops_no_other_thread(sound: SoundRig) -> None:
    source = AlsaSource("mic")
    source.open()
    source.close()
    sound.mic.freeze()
    search = threading.Thread(target=source.open)
    search.start()
    try:
        for _ in range(20):
            time.sleep(0.01)  # with the interpreter's lock held, this would not come back before the search had failed
        assert search.is_alive()
    finally:
        sound.mic.thaw()
        search.join(GUARD_S)
    assert not search.is_alive()
    source.close()


def search_from_all_sides() -> None:
    """Opens what is there and looks for what is broken in four threads at once."""

    def work(device: AlsaSource | AlsaSink, there: bool) -> None:
        for _ in range(300):
            if there:
                device.open()
                device.close()
            else:
                why_not(device)

    devices = [(make(name), name == "card") for make in (AlsaSource, AlsaSink) for name in ("broken", "card")]
    with ThreadPoolExecutor(len(devices)) as pool:
        for searching in [pool.submit(work, *device) for device in devices]:
            searching.result()


def test_searches_and_opens_of_several_threads_do_not_meet(hardware: FixedHardware) -> None:
    with hardware.settings.open("a") as settings:
        settings.write('pcm_type.nowhere { lib "/nowhere.so" }\npcm.broken { type nowhere }\n')
    # In a process of its own: where they meet, each waits for what the other has, and no Python runs any more.
    script = f"from {__name__} import search_from_all_sides as search; search()"
    ended = subprocess.run([sys.executable, "-c", script], cwd=REPO, timeout=3 * GUARD_S, stderr=subprocess.PIPE)
    assert (ended.returncode, ended.stderr) == (0, b""), "libasound is silent, too"
