"""All traces of `scripts/bench audio` by name: how arrivals are made, of what sound, and how long. Each from a seed."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from tests.bench import arrivals, hard_arrivals
from tests.bench.arrivals import Maker, Trace
from tests.bench.material import Material, music, talk

HOUR_S: Final = 3600.0
_SEED: Final = 20160625


@dataclass(frozen=True)
class Kind:
    """What a trace is made of."""

    arrive: Maker
    seconds: float
    sound: Callable[[float, int], Material] = talk
    """By seconds and seed."""
    about: str = ""
    """What else than the arrivals is to be told."""


TRACES: Final[dict[str, Kind]] = {
    "steady": Kind(arrivals.steady, 120.0),
    "wifi": Kind(arrivals.wifi, 600.0),
    "stall": Kind(arrivals.stall, 240.0),
    "fast": Kind(arrivals.fast, HOUR_S),
    "slow": Kind(arrivals.slow, HOUR_S),
    "pauses": Kind(arrivals.pauses, 240.0),
    "bursts": Kind(arrivals.bursts, 120.0),
    "music": Kind(arrivals.slow, 240.0, music, "Music without a pause."),
    "late-heads": Kind(hard_arrivals.late_heads, 240.0),
    "long-stalls": Kind(hard_arrivals.long_stalls, 60.0),
    "busy": Kind(hard_arrivals.busy, 240.0),
}


def make_trace(name: str, seconds: float) -> Trace:
    """The trace of that name, about so long; every call gives the same."""
    kind = TRACES[name]
    seed = _SEED + zlib.crc32(name.encode())
    return kind.arrive(kind.sound(seconds, seed), np.random.default_rng(seed))


def description(name: str) -> str:
    """What is known of it before anything is played, in a sentence or two."""
    kind = TRACES[name]
    arrive = " ".join((kind.arrive.__doc__ or "").split("\n\n")[0].split())
    return f"{arrive} {kind.about}".strip()
