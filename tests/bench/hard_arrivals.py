"""Arrivals that ask more of a player: heads of talkspurts late, stalls beyond any delay allowed, a machine that sleeps.

Made as those of `arrivals` are. A server that is slow while nobody pauses needs no more than `arrivals.slow`.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tests.bench.arrivals import FRAME_S, Oversleeping, Trace, paced, pauses
from tests.bench.material import Material

HEAD_S = 0.15
LONG_STALL_S = 0.45
LONG_STALL_EVERY_S = 1.0
_LONG_STALL_FROM_S = 0.3
OVERSLEPT_SHARE = 0.01
OVERSLEPT_S = (0.03, 0.12)


def late_heads(material: Material, rng: np.random.Generator) -> Trace:
    """A server that sends nothing while the room is silent; the first 150 ms after each silence come late together."""
    trace = pauses(material, rng)
    sent_s = trace.arrivals_s
    arrivals_s = sent_s.copy()
    for first_s in sent_s[np.diff(sent_s, prepend=-np.inf) > 2 * FRAME_S]:
        head = (sent_s >= first_s) & (sent_s < first_s + HEAD_S)
        arrivals_s[head] = first_s + HEAD_S
    return dataclasses.replace(trace, name="late-heads", arrivals_s=arrivals_s)


def long_stalls(material: Material, rng: np.random.Generator) -> Trace:
    """Nothing comes for 450 ms of every second, and then all at once: more than a delay of 400 ms can cover."""
    sent_s = paced(material)
    into_s = sent_s % LONG_STALL_EVERY_S
    end_s = _LONG_STALL_FROM_S + LONG_STALL_S
    held = (into_s > _LONG_STALL_FROM_S) & (into_s < end_s)
    return Trace("long-stalls", material, np.where(held, sent_s - into_s + end_s, sent_s), sent_s)


def busy(material: Material, rng: np.random.Generator) -> Trace:
    """A server that sends nothing while the room is silent; this machine wakes 30 to 120 ms late one time in 100."""
    oversleeping = Oversleeping(OVERSLEPT_SHARE, *OVERSLEPT_S, seed=int(rng.integers(1 << 32)))
    return dataclasses.replace(pauses(material, rng), name="busy", oversleeping=oversleeping)
