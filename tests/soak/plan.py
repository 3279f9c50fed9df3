"""Which faults strike, for how long and how far apart: drawn from a seed. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.soak.faults import Kind

PAUSE_S: Final = (10.0, 20.0)
"""From one recovery to the next fault, at least and at most."""
FIRST: Final = ("tcp_reset", "cable_at_device", "microphone", "speaker")
"""What a bound of their own is set on strikes before the others, so that a short run has judged it, too;"""
OFTEN: Final = {"tcp_reset": 3}
"""and the commonest more often than once a round."""


@dataclass(frozen=True)
class Planned:
    """One fault to come."""

    kind: Kind
    lasts_s: float
    pause_s: float
    """From the recovery before it."""
    detail: int
    """A seed for what the kind itself draws."""


def plan(seed: int, kinds: Sequence[Kind]) -> Iterator[Planned]:
    """Faults without end: round after round of all kinds, each round in an order of its own."""
    random = Random(seed)
    for number, kind in enumerate(_order(random, kinds)):
        pause_s = PAUSE_S[0] if number == 0 else random.uniform(*PAUSE_S)
        yield Planned(kind, random.choice(kind.lasts_s), pause_s, random.randrange(1 << 32))


def _order(random: Random, kinds: Sequence[Kind]) -> Iterator[Kind]:
    by_name = {kind.name: kind for kind in kinds}
    yield from (by_name[name] for name in FIRST if name in by_name)
    while True:
        deck = [kind for kind in kinds for _ in range(OFTEN.get(kind.name, 1))]
        random.shuffle(deck)
        yield from deck
