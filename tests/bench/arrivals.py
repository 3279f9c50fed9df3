"""When the frames of room audio come in: traces of a network that loses nothing but time, as TCP does.

Every trace says for each frame when it arrives and when it would have at the earliest. All are made from a seed, and
the same seed gives the same trace.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.bench.material import FRAME_SAMPLES, LEAD_S, TAIL_S, Material
from tests.rig.speech import Span
from tests.rig.wav import RATE

FRAME_S = FRAME_SAMPLES / RATE
STALL_S = 2.0
WIFI_QUANTILES_MS = ((0.0, 1.0), (0.5, 3.0), (0.9, 20.0), (0.99, 250.0), (1.0, 400.0))
"""Share of frames, and the latency they stay under, log-linear in between.

Median, 90 % and 99 % of the latency of a Wi-Fi hop: K. Sui et al., "Characterizing and Improving WiFi Latency in
Large-Scale Operational Networks", MobiSys 2016. Its ends are assumed here: the least is a quick exchange on the air,
and the greatest keeps the trace within what the paper's 99 % tells of.
"""
WIFI_MEMORY_S = 0.1
"""How long a bad moment of the air lasts: the correlation falls to 1/e in that time. Assumed here; the paper does not
say."""

Times = NDArray[np.float64]


@dataclass(frozen=True)
class Oversleeping:
    """A machine that is late itself: of its wake-ups `share` come `least_s` to `most_s` after they were due."""

    share: float
    least_s: float
    most_s: float
    seed: int

    def lateness_s(self) -> Iterator[float]:
        """Of each wake-up, without end; the same every time."""
        rng = np.random.default_rng(self.seed)
        while True:
            yield rng.uniform(self.least_s, self.most_s) if rng.random() < self.share else 0.0


@dataclass(frozen=True)
class Trace:
    """What the room says and when its frames come, in seconds from the start of the call."""

    name: str
    material: Material
    arrivals_s: Times
    """Frame n arrives; never before the one before it."""
    earliest_s: Times
    """Frame n arrives where it is not late at all."""
    stalls_end_s: tuple[float, ...] = ()
    oversleeping: Oversleeping | None = None
    """Of the machine that plays it; None for one that is never late."""

    def earliest_of(self, samples: NDArray[np.int64]) -> Times:
        """When each of these samples would have come at the earliest, had samples come one by one."""
        frames = np.minimum(samples // FRAME_SAMPLES, len(self.earliest_s) - 1)
        earliest: Times = self.earliest_s[frames] + (samples - frames * FRAME_SAMPLES) / RATE
        return earliest


Maker = Callable[[Material, np.random.Generator], Trace]


def steady(material: Material, rng: np.random.Generator) -> Trace:
    """Every frame in its time."""
    sent_s = paced(material)
    return Trace("steady", material, sent_s, sent_s)


def wifi(material: Material, rng: np.random.Generator) -> Trace:
    """A Wi-Fi hop, median 3 ms, 90 % 20 ms, 99 % 250 ms, behind which TCP keeps the order: what overtakes waits.

    The latencies of neighbouring frames hang together by a Gaussian copula: a first-order Gauss–Markov process whose
    values are turned into latencies by their rank.
    """
    sent_s = paced(material)
    late_s = wifi_latency_ms(_gauss_markov(material.frames, rng)) / 1000
    return Trace("wifi", material, np.maximum.accumulate(sent_s + late_s), sent_s + WIFI_QUANTILES_MS[0][1] / 1000)


def stall(material: Material, rng: np.random.Generator) -> Trace:
    """Nothing comes for two seconds within every third utterance, and then all at once; the rest in its time."""
    sent_s = paced(material)
    arrivals_s = sent_s.copy()
    ends_s = []
    for span in _some(material.spans, every=3):
        start_s = span.start / RATE + rng.uniform(2.0, 4.0)
        held = (sent_s > start_s) & (sent_s < start_s + STALL_S)
        arrivals_s[held] = start_s + STALL_S
        ends_s.append(start_s + STALL_S)
    return Trace("stall", material, arrivals_s, sent_s, tuple(ends_s))


def fast(material: Material, rng: np.random.Generator) -> Trace:
    """A server whose clock runs 200 ppm faster than the speaker's: 0.72 s more audio in every hour."""
    sent_s = paced(material) / (1 + 200e-6)
    return Trace("fast", material, sent_s, sent_s)


def slow(material: Material, rng: np.random.Generator) -> Trace:
    """A server whose clock runs 200 ppm slower than the speaker's."""
    sent_s = paced(material) / (1 - 200e-6)
    return Trace("slow", material, sent_s, sent_s)


def pauses(material: Material, rng: np.random.Generator) -> Trace:
    """A server that sends nothing while the room is silent, and counts no samples meanwhile either."""
    keep = np.zeros(material.frames, dtype=bool)
    for span in material.spans:
        first, last = span.start - LEAD_S * RATE, span.stop + TAIL_S * RATE
        keep[max(0, int(first) // FRAME_SAMPLES) : math.ceil(last / FRAME_SAMPLES)] = True
    sent_s = paced(material)[keep]
    # Where a frame went to: as many earlier as frames before it are left out.
    gone = np.concatenate([[0], np.cumsum(~keep)]) * FRAME_SAMPLES
    spans = tuple(
        Span(span.start - int(gone[span.start // FRAME_SAMPLES]), span.stop - int(gone[span.stop // FRAME_SAMPLES]))
        for span in material.spans
    )
    frames = material.pcm.reshape(-1, FRAME_SAMPLES)[keep]
    return Trace("pauses", Material(frames.reshape(-1), spans), sent_s, sent_s)


def bursts(material: Material, rng: np.random.Generator) -> Trace:
    """Four frames at a time, once the last of them is complete, as the vendor's own client sends."""
    sent_s = paced(material)
    last = np.minimum(np.arange(material.frames) // 4 * 4 + 3, material.frames - 1)
    return Trace("bursts", material, sent_s[last], sent_s)


def wifi_latency_ms(gaussian: Times) -> Times:
    """Standard normal numbers turned into latencies that are distributed as WIFI_QUANTILES_MS."""
    rank = np.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in gaussian])
    shares, latencies = zip(*WIFI_QUANTILES_MS, strict=True)
    logarithms: Times = np.interp(rank, shares, np.log(latencies))
    return np.exp(logarithms)


def _gauss_markov(count: int, rng: np.random.Generator) -> Times:
    kept = math.exp(-FRAME_S / WIFI_MEMORY_S)
    fresh = rng.standard_normal(count) * math.sqrt(1 - kept * kept)
    values = np.empty(count)
    value = rng.standard_normal()
    for number in range(count):
        value = kept * value + fresh[number]
        values[number] = value
    return values


def paced(material: Material) -> Times:
    """When each frame is complete, by an exact clock: as soon as it can be sent."""
    complete: Times = np.arange(1, material.frames + 1, dtype=np.float64) * FRAME_S
    return complete


def _some(spans: Sequence[Span], every: int) -> Sequence[Span]:
    return spans[every - 2 :: every]
