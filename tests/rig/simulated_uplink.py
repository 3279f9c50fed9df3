"""The uplink in simulated time: a sound card with its own crystal, a late scheduler, and the real core code.

Nothing sleeps: capture and sender are two actors on one time line, each woken when it asked to be, or later.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ingestd.core.pacing import Do, Pacer, guard_s
from ingestd.core.ring import SampleRing
from ingestd.core.sampleclock import SampleClock
from ingestd.core.wire import FRAME_SAMPLES, SAMPLE_RATE_HZ


def stamped(first: int, samples: int) -> bytes:
    """Samples that say their own number, modulo 2**16."""
    return np.arange(first, first + samples, dtype=np.uint32).astype(np.uint16).tobytes()


def first_number(pcm: bytes) -> int:
    """The number in a frame's first sample."""
    return int(struct.unpack_from("<H", pcm)[0])


@dataclass
class Scheduler:
    """How late a thread wakes, seconds: some tens of µs, and in `late_share` of cases up to `latest_s`."""

    rng: random.Random
    late_share: float = 0.01
    latest_s: float = 0.030

    def lateness_s(self) -> float:
        """Of one wake-up."""
        late = self.rng.random() * self.latest_s if self.rng.random() < self.late_share else 0.0
        return late + self.rng.expovariate(1 / 50e-6)


@dataclass
class Uplink:
    """One run. `ppm`: how much faster than nominal the card's crystal is. `open_link(t)`: may a frame go at `t`?"""

    ppm: float
    seed: int
    period_samples: int = FRAME_SAMPLES
    open_link: Callable[[float], bool] = lambda _now: True
    present: Callable[[float], bool] = lambda _now: True
    ring: SampleRing = field(default_factory=lambda: SampleRing(2 * SAMPLE_RATE_HZ))
    clock: SampleClock = field(default_factory=lambda: SampleClock(SAMPLE_RATE_HZ))
    pacer: Pacer = field(default_factory=Pacer)
    sent_s: list[float] = field(default_factory=list)
    frames: list[bytes | None] = field(default_factory=list)
    """What went out, None for silence; frames are kept whole only where `keep` says so."""
    ready_s: list[float] = field(default_factory=list)
    """When the last sample of each frame in `frames` was captured, by the source's true clock; NaN for silence."""

    def run(self, seconds: float) -> None:
        """Simulates `seconds` of the card's running."""
        scheduler = Scheduler(random.Random(self.seed))
        s_per_sample = 1.0 / (SAMPLE_RATE_HZ * (1.0 + self.ppm * 1e-6))
        start_s = card_s = 1000.0
        pacer, ring = self.pacer, self.ring
        pacer.guard_s = guard_s(self.period_samples, SAMPLE_RATE_HZ)
        captured = 0  # samples the card has finished, by its own count
        lost_before = 0
        read_s = card_s + self.period_samples * s_per_sample
        wake_s = start_s
        lost = True
        while read_s < start_s + seconds:
            if read_s <= wake_s:
                captured += self.period_samples
                if self.present(read_s):
                    if lost and ring.written:
                        ring.write(bytes(2 * (-ring.written % FRAME_SAMPLES)))
                        self.clock.relock()
                    lost = False
                    first = ring.written
                    self.clock.observe(read_s, ring.write(stamped(first, self.period_samples)))
                    lost_before = captured - ring.written
                else:
                    if not lost:
                        card_s += scheduler.rng.random() * FRAME_SAMPLES / SAMPLE_RATE_HZ  # it begins when it likes
                    lost = True
                next_true_s = card_s + (captured + self.period_samples) * s_per_sample
                read_s = max(read_s, next_true_s + scheduler.lateness_s())
                continue
            now = wake_s
            step = pacer.step(now, self.clock.now, ring.written, lost)
            if step.do is Do.SLEEP:
                wake_s = max(now, step.until_s) + scheduler.lateness_s()
            elif not self.open_link(now):
                wake_s = max(now, pacer.held(now, step.do, ring.written)) + scheduler.lateness_s()
            else:
                if step.do is Do.SEND:
                    self.frames.append(ring.read(step.sample, FRAME_SAMPLES))
                    self.ready_s.append(card_s + (step.sample + FRAME_SAMPLES + lost_before) * s_per_sample)
                elif self.frames:  # before the first frame there is no microphone yet
                    self.frames.append(None)
                    self.ready_s.append(float("nan"))
                if self.frames:
                    self.sent_s.append(now)
                again_s = pacer.sent(now, step.do)
                gone_s = now + 20e-6  # what a send takes
                wake_s = gone_s if again_s <= gone_s else again_s + scheduler.lateness_s()

    @property
    def period_s(self) -> float:
        """The mean period of what went out, by least squares over all frames."""
        number = np.arange(len(self.sent_s))
        return float(np.polyfit(number - number.mean(), np.array(self.sent_s) - self.sent_s[0], 1)[0])

    @property
    def latency_ms(self) -> NDArray[np.float64]:
        """From each frame's last sample, by the source's true clock, to its going out."""
        late_s: NDArray[np.float64] = np.array(self.sent_s) - np.array(self.ready_s)
        return late_s * 1000.0
