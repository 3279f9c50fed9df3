"""Figures that a run measured, the bounds that a promise sets on them, and the one JSON shape for both.

`python -m tests.rig.figures ALL FILE…` writes the figures of several runs as those of one.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

Told = tuple[str, float, float | None, float | None]
"""A figure on its way from one process to another: its name, its value, its `max` and its `min`."""


@dataclass(frozen=True)
class Bound:
    """What a figure has to keep: at most `max`, at least `min`, or both."""

    value: float
    max: float | None
    min: float | None

    @property
    def met(self) -> bool:
        """Whether the value keeps the bound; what could not be measured does not."""
        if not math.isfinite(self.value):
            return False
        return (self.max is None or self.value <= self.max) and (self.min is None or self.value >= self.min)

    def as_json(self) -> dict[str, float | bool]:
        """The bound as it stands in the file."""
        ends = {"max": self.max, "min": self.min}
        return {**{name: end for name, end in ends.items() if end is not None}, "met": self.met}

    def __str__(self) -> str:
        ends = (("≥", self.min), ("≤", self.max))
        return " and ".join(f"{sign} {end:g}" for sign, end in ends if end is not None)


@dataclass
class Figures:
    """Collects named numbers. A name is words with their unit: `uplink_gap_p99_ms`."""

    values: dict[str, float] = field(default_factory=dict)
    bounds: dict[str, Bound] = field(default_factory=dict)

    def add(self, name: str, value: float, max: float | None = None, min: float | None = None) -> bool:
        """Takes a figure, with a bound if it has one; tells whether the bound is met.

        A name given twice keeps the last value. NaN and infinity stand for "could not be measured".
        """
        value = float(value)  # numpy's own numbers are none that JSON knows
        self.values[name] = value
        self.bounds.pop(name, None)
        if max is None and min is None:
            return True
        self.bounds[name] = Bound(value, max, min)
        return self.bounds[name].met

    def told(self) -> list[Told]:
        """All of them, for another process's `take`."""
        bounds = {name: Bound(value, None, None) for name, value in self.values.items()} | self.bounds
        return [(name, bound.value, bound.max, bound.min) for name, bound in bounds.items()]

    def take(self, told: Iterable[Told]) -> None:
        """Adds what another process told."""
        for name, value, most, least in told:
            self.add(name, value, most, least)

    @property
    def met(self) -> bool:
        """Whether every bound is met."""
        return all(bound.met for bound in self.bounds.values())

    def as_json(self) -> dict[str, object]:
        """`{"figures": {NAME: number}, "bounds": {NAME: {"max" or "min": number, "met": bool}}}`."""
        return {
            "figures": {name: value if math.isfinite(value) else None for name, value in self.values.items()},
            "bounds": {name: bound.as_json() for name, bound in self.bounds.items()},
        }

    def write(self, path: Path | str) -> None:
        """Writes the JSON file, making its folder where need be."""
        _write(self.as_json(), Path(path))

    def table(self) -> str:
        """The figures for a person, one a line."""
        width = max((len(name) for name in self.values), default=0)
        return "\n".join(self._line(name, value, width) for name, value in self.values.items())

    def _line(self, name: str, value: float, width: int) -> str:
        line = f"{name:<{width}}  {value:>12,.6g}"
        if bound := self.bounds.get(name):
            line += f"  {'met   ' if bound.met else 'MISSED'} {bound}"
        return line


def join(path: Path, parts: Iterable[Path]) -> None:
    """Writes the figures of several such files to one; no name is in two of them."""
    joined: dict[str, dict[str, object]] = {"figures": {}, "bounds": {}}
    for part in parts:
        for key, entries in json.loads(part.read_text()).items():
            joined[key] |= entries
    _write(joined, path)


def _write(figures: object, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=2, allow_nan=False) + "\n")


if __name__ == "__main__":
    join(Path(sys.argv[1]), map(Path, sys.argv[2:]))
