"""Figures that a run measured, the bounds that a promise sets on them, and the one JSON shape for both."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path


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
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.as_json(), indent=2, allow_nan=False) + "\n")

    def table(self) -> str:
        """The figures for a person, one a line."""
        width = max((len(name) for name in self.values), default=0)
        return "\n".join(self._line(name, value, width) for name, value in self.values.items())

    def _line(self, name: str, value: float, width: int) -> str:
        line = f"{name:<{width}}  {value:>12,.6g}"
        if bound := self.bounds.get(name):
            line += f"  {'met   ' if bound.met else 'MISSED'} {bound}"
        return line
