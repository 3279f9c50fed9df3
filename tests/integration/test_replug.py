"""Sound devices pulled out and plugged in again during a call: the call never drops, and sound comes back."""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.rig.alsa_device import AlsaDevice, alsa_device
from tests.rig.figures import Figures
from tests.rig.process import wait_until
from tests.rig.replug import Ear, Plugger, Plugging, RoomEar, SpeakerEar, wait_for_sound
from tests.rig.resources import Resources
from tests.rig.sound import SoundRig
from tests.rig.ticker import Ticker
from tests.rig.wav import tone
from tests.standin.client import StandIn
from tests.standin.control import Control

pytestmark = pytest.mark.calm

BACK_S = 2.0
GAP_MS = 40.0
QUIET_MS = 25.0
"""A machine whose simplest program wakes by more than 5 ms late one time in a hundred says nothing about gaps."""
SETTLE_S = 3.0
GUARD_S = 20.0
GROWTH_KIB = 1024.0
GROWTH_EACH_KIB = 2.0
"""A device that is pulled out ten times a day for ten years then grows by 70 MiB."""
ENOUGH_TO_TELL = 20


@dataclass
class Run:
    """What the coming and going left to judge. Times are CLOCK_MONOTONIC seconds."""

    began_s: float
    before: Resources
    microphone: list[Plugging]
    speaker: list[Plugging]
    after: Resources
    absent_from_s: float
    absent_until_s: float
    ended_s: float


@pytest.mark.parametrize(
    ("times", "absent_s"),
    [
        pytest.param(4, 6.0, id="4"),
        pytest.param(50, 20.0, id="50", marks=[pytest.mark.full, pytest.mark.timeout(900)]),
    ],
)
def test_devices_come_and_go(tmp_path: Path, sound: SoundRig, figures: Figures, times: int, absent_s: float) -> None:
    with StandIn(tls=True) as room:
        speak(room)
        with alsa_device(room, tmp_path) as device:
            room.wait_joined()
            with Ticker() as ticker:
                run = come_and_go(sound, room, device, times, absent_s)
            status = device.status()
        calls, connections = room.calls(), room.connections()
        kept = room.received(0)
    (tmp_path / "pluggings").write_text("\n".join(map(repr, [*run.microphone, "", *run.speaker])))

    sessions = max(len(calls), len(connections), status["session"]["epoch"])
    assert figures.add("replug_sessions", sessions, max=1), device.log()
    for name, pluggings in (("microphone", run.microphone), ("speaker", run.speaker)):
        back_s = np.array([plugging.back_s for plugging in pluggings])
        figures.add(f"replug_{name}_times", len(back_s), min=times)
        figures.add(f"replug_{name}_back_median_s", float(np.median(back_s)))
        assert figures.add(f"replug_{name}_back_max_s", float(back_s.max()), max=BACK_S), pluggings

    times_s = kept.times_s[(kept.times_s >= run.began_s) & (kept.times_s <= run.ended_s)]
    gaps_ms = np.diff(times_s) * 1000
    absent_ms = gaps_ms[(times_s[1:] >= run.absent_from_s) & (times_s[1:] <= run.absent_until_s)]
    rate = len(gaps_ms) / (times_s[-1] - times_s[0])
    figures.add("replug_uplink_gap_p50_ms", float(np.median(gaps_ms)))
    figures.add("replug_uplink_gap_max_ms", float(gaps_ms.max()))
    judged = is_quiet(figures, "replug_uplink", ticker.gaps_ms(run.began_s, run.ended_s))
    assert figures.add("replug_uplink_gap_p99_ms", float(np.percentile(gaps_ms, 99)), max=GAP_MS if judged else None)
    bounds = {"min": 49.5, "max": 50.5} if judged else {}
    assert figures.add("replug_uplink_frames_per_second", rate, **bounds)
    absent_judged = is_quiet(figures, "replug_absent", ticker.gaps_ms(run.absent_from_s, run.absent_until_s))
    most_ms = GAP_MS if absent_judged else None
    assert figures.add("replug_absent_gap_p99_ms", float(np.percentile(absent_ms, 99)), max=most_ms)
    figures.add("replug_gaps_judged", int(judged and absent_judged))

    more = run.after.more_than(run.before)
    threads = len(run.after.threads) - len(run.before.threads)
    descriptors = len(run.after.descriptors) - len(run.before.descriptors)
    assert figures.add("replug_threads_more", threads, max=0), more
    assert figures.add("replug_descriptors_more", descriptors, max=0), more
    assert more == ""

    # What the far end queues for ever, as each frame beyond 50 a second is one more that waits there.
    figures.add("replug_far_end_delay_added_ms", len(gaps_ms) * 20 - (times_s[-1] - times_s[0]) * 1000)
    assert set(kept.sizes_bytes.tolist()) == {320}
    assert not connections[0].counts, "nothing malformed went out"
    grown_kib = (run.after.memory_bytes - run.before.memory_bytes) / 1024
    assert figures.add("replug_memory_more_kib", grown_kib, max=GROWTH_KIB)
    if times >= ENOUGH_TO_TELL:
        assert figures.add("replug_memory_more_each_kib", growth_each_kib(run), max=GROWTH_EACH_KIB)
    if not (judged and absent_judged):
        # Last of all, as whatever else is promised has been held against it by now.
        pytest.skip("all but the gaps holds; those say nothing, as a ticker alone had some of over 25 ms (p99) here")


def come_and_go(sound: SoundRig, room: StandIn, device: AlsaDevice, times: int, absent_s: float) -> Run:
    """Works both cards at the same time, then leaves both out for a while; at its end both are heard again."""
    microphone, speaker = RoomEar(sound.mic, another(room)), SpeakerEar(sound.speaker)
    hear(microphone, speaker)
    time.sleep(SETTLE_S)
    pid = device.process.pid
    before = Resources.of(pid)
    began_s = time.monotonic()
    stop = threading.Event()
    pluggers = [Plugger(sound.mic, microphone, pid, 1, stop), Plugger(sound.speaker, speaker, pid, 2, stop)]
    # Their PulseAudios end with their threads, so these stay to the end.
    with ThreadPoolExecutor(len(pluggers)) as pool:
        working = [pool.submit(plugger.run, times) for plugger in pluggers]
        wait(working, return_when=FIRST_EXCEPTION)
        stop.set()
        for work in working:
            work.result()
        hear(microphone, speaker)
        after = settled(pid, before)
        absent_from_s = time.monotonic()
        sound.mic.unplug()
        sound.speaker.unplug(hard=True)
        time.sleep(absent_s / 2)
        assert device.lost("capture")
        assert device.lost("playback")
        sound.mic.unplug(hard=True)
        sound.speaker.replug(warm=False)
        sound.speaker.unplug()
        time.sleep(absent_s / 2)
        absent_until_s = time.monotonic()
        sound.mic.replug(warm=False)
        sound.speaker.replug(warm=False)
        hear(microphone, speaker)
        ended_s = time.monotonic()
    return Run(
        began_s, before, pluggers[0].pluggings, pluggers[1].pluggings, after, absent_from_s, absent_until_s, ended_s
    )


def is_quiet(figures: Figures, name: str, machine_ms: NDArray[np.float64]) -> bool:
    """Whether this machine let anybody keep time then; where it did not, the uplink is measured and not judged."""
    machine_p99_ms = float(np.percentile(machine_ms, 99))
    figures.add(f"{name}_machine_gap_p99_ms", machine_p99_ms)
    return machine_p99_ms <= QUIET_MS


def growth_each_kib(run: Run) -> float:
    """By how much a re-plug makes the process grow, from the second half of them."""
    pluggings = sorted([*run.microphone, *run.speaker], key=lambda plugging: plugging.in_s)
    held_kib = [plugging.resources.memory_bytes / 1024 for plugging in pluggings[len(pluggings) // 2 :]]
    return float(np.polyfit(np.arange(len(held_kib)), held_kib, 1)[0])


def speak(room: Control) -> None:
    """Somebody in the room makes a sound all the time."""
    room.say(room.add("Alice", recording=False), tone(700, 10).tobytes(), loop=True)


def another(room: Control) -> Control:
    """The same stand-in for another thread."""
    other = Control()
    other.admin_url = room.admin_url
    return other


def hear(*ears: Ear) -> None:
    """Waits until sound comes through each of them."""
    for ear in ears:
        with ear.listen(0) as heard:
            assert wait_for_sound(heard, time.monotonic() + GUARD_S) < float("inf")


def settled(pid: int, before: Resources) -> Resources:
    """What the process holds once it has let go of what it did not hold before, or has had the time to."""
    with contextlib.suppress(TimeoutError):
        wait_until(lambda: not Resources.of(pid).more_than(before), GUARD_S, "the process to settle", every=0.2)
    return Resources.of(pid)
