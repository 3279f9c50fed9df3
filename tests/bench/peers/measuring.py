"""One contender for one round, or several for one long one: what it used, and when its frames came."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.bench.peers.arrivals import Watch
from tests.bench.peers.contenders import BY_EAR, Scene, running
from tests.bench.peers.usage import Look, peak_rss_mib
from tests.standin.jitter import FRAME_BYTES
from tests.standin.records import KeptFrames

FRAME_MS = 20.0
_READ_EVERY_S = 5.0
_FAINTEST_RMS = 1.0
"""No frame of the audio has less than 1.3, as its silence holds the faintest noise; a dead microphone has none."""


@dataclass(frozen=True)
class Sample:
    """What one contender did in one round, start-up left out."""

    cpu_ms_per_s: float
    """Processor time of all its threads."""
    own_cpu_ms_per_s: float
    """The same without the sound system's threads."""
    rss_mib: float
    """Peak, start-up included."""
    wakeups_per_s: float
    up_per_s: float
    """Media frames that came from it."""
    down_per_s: float
    """Media frames that it was sent."""
    unheard_frames: int
    """Of all that were sent to it until shortly before its end."""
    strange_frames: int
    """That came from it and hold no frame of the audio; 0 for what hears the audio by a microphone."""
    silent_frames: int
    """That came from it and hold no sound, not even the audio's noise: a microphone that is dead, or was late."""
    gap_errors_ms: NDArray[np.float64]
    """How far each time between two frames is from 20 ms."""
    latency_ms: NDArray[np.float64]
    """From a frame's read to its arrival; empty where it is not known when it was read."""


@dataclass(frozen=True)
class LongRun:
    """What one contender did for minutes."""

    period_ms: float
    """Between two of its frames, by least squares."""
    rss_mib: float
    """Peak."""


def measure(name: str, scene: Scene, settle_s: float, seconds: float) -> Sample:
    """Runs it once: `settle_s` from its joining on are left out, the `seconds` after that are looked at."""
    with Watch(scene.room.port) as watch:
        with running(name, scene, settle_s + seconds) as it:
            time.sleep(settle_s)
            sent, look, from_s = scene.room.call(it.call_id).sent_frames, Look(it.process.pid), time.time()
            time.sleep(seconds)
            until_s, used = time.time(), Look(it.process.pid).since(look)
            sent_by_then = scene.room.call(it.call_id).sent_frames
            rss_mib = peak_rss_mib(it.process.pid)
            unheard = sent_by_then - it.heard()
        received = scene.room.received(it.call_id)
        flow = max(watch.flows(), key=lambda flow: len(flow.stamps_s))
    # What was stamped last may have come too late for the room.
    all_s = flow.stamps_s[: len(received.sizes_bytes)]
    inside = (all_s >= from_s) & (all_s < until_s)
    stamps_s, numbers = all_s[inside], _numbers(received, scene)[inside]
    return Sample(
        cpu_ms_per_s=used.cpu_ms_per_s(),
        own_cpu_ms_per_s=used.cpu_ms_per_s(it.is_own),
        rss_mib=rss_mib,
        wakeups_per_s=used.switches_per_s(),
        up_per_s=len(stamps_s) / (until_s - from_s),
        down_per_s=(sent_by_then - sent) / used.seconds,
        unheard_frames=max(0, unheard),
        strange_frames=0 if name in BY_EAR else int(np.count_nonzero(numbers < 0)),
        silent_frames=int(np.count_nonzero(silent(received)[inside])),
        gap_errors_ms=np.abs(np.diff(stamps_s) * 1000 - FRAME_MS),
        latency_ms=latencies_ms(numbers, stamps_s, np.array(it.reads_s), scene.frames) if it.reads_s else np.zeros(0),
    )


def _numbers(received: KeptFrames, scene: Scene) -> NDArray[np.int64]:
    """Which frame of the audio each media frame holds; -1 where it holds none."""
    pcm = scene.pcm
    numbers = {pcm[at : at + FRAME_BYTES]: at // FRAME_BYTES for at in range(0, len(pcm), FRAME_BYTES)}
    return np.array([numbers.get(frame, -1) for frame in _frames(received)])


def _frames(received: KeptFrames) -> Iterator[bytes]:
    ends = np.cumsum(received.sizes_bytes)
    return (received.pcm[end - size : end] for end, size in zip(ends, received.sizes_bytes, strict=True))


def silent(received: KeptFrames) -> NDArray[np.bool_]:
    """Of each media frame, whether it holds no sound."""
    norms = np.array([np.linalg.norm(np.frombuffer(frame, "<i2")) for frame in _frames(received)])
    found: NDArray[np.bool_] = norms < _FAINTEST_RMS * np.sqrt(FRAME_BYTES // 2)
    return found


def latencies_ms(
    numbers: NDArray[np.int64], stamps_s: NDArray[np.float64], reads_s: NDArray[np.float64], loop: int
) -> NDArray[np.float64]:
    """From each frame's read to its arrival; NaN for one that was never read.

    `numbers` are those of the frames that came within the audio, `loop` frames which were read over and over.
    """
    found = np.full(len(numbers), np.nan)
    for at, (number, stamp_s) in enumerate(zip(numbers, stamps_s, strict=True)):
        # Of all times it was read, the last before it came: a frame is never as old as the whole loop.
        reads = reads_s[number::loop] if number >= 0 else np.zeros(0)
        if len(before := reads[reads <= stamp_s]):
            found[at] = (stamp_s - before[-1]) * 1000
    return found


def run_long(names: Sequence[str], scene: Scene, settle_s: float, seconds: float) -> dict[str, LongRun]:
    """All of them at the same time, each in a room of its own."""
    with Watch(scene.room.port) as watch, contextlib.ExitStack() as stack:
        started = [stack.enter_context(running(name, scene, settle_s + seconds)) for name in names]
        time.sleep(settle_s)
        from_s = time.time()
        while (left_s := from_s + seconds - time.time()) > 0:
            time.sleep(min(_READ_EVERY_S, left_s))
            flows = [flow for flow in watch.flows() if len(flow.stamps_s)]  # each joined before the next was started
        return {
            name: LongRun(period_ms(flow.stamps_s[flow.stamps_s >= from_s]), peak_rss_mib(it.process.pid))
            for name, flow, it in zip(names, flows, started, strict=True)
        }


def period_ms(stamps_s: NDArray[np.float64]) -> float:
    """The slope of arrivals over their number."""
    return float(np.polyfit(np.arange(len(stamps_s)), (stamps_s - stamps_s[0]) * 1000, 1)[0])
