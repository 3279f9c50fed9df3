"""Which connections have to go: they are too late, too many, or hold too much. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Collection
from typing import Protocol, TypeVar


class Place(Protocol):
    """What is looked at of a connection."""

    @property
    def idle(self) -> bool:
        """Nothing of a request has come in."""

    @property
    def deadline(self) -> float:
        """Monotonic, in seconds."""

    @property
    def held_bytes(self) -> int:
        """What is kept for it."""


P = TypeVar("P", bound=Place)


def overdue(waiting: Collection[P], now: float) -> list[P]:
    """Those whose deadline has passed."""
    return [one for one in waiting if one.deadline < now]


def first_to_go(waiting: Collection[P], count: int) -> list[P]:
    """So many, to make room for others: idle ones, then those that have been at it longest.

    An honest request takes milliseconds to come in, so of many clients that are silent none keeps others out.
    """
    return heapq.nsmallest(count, waiting, key=lambda one: (not one.idle, one.deadline))


def largest(waiting: Collection[P], most_bytes: int) -> list[P]:
    """As many as have to go for the rest to hold no more than that."""
    found = []
    held = sum(one.held_bytes for one in waiting)
    if held > most_bytes:
        for one in sorted(waiting, key=lambda one: one.held_bytes, reverse=True):
            found.append(one)
            held -= one.held_bytes
            if held <= most_bytes:
                break
    return found
