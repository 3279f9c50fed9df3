"""What a soak leaves to judge. Times are CLOCK_MONOTONIC seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tests.rig.memory_ports import frame_numbers
from tests.rig.resources import Resources
from tests.standin.client import StandIn

_LOOKED_BACK = 6
"""Sessions that may still bring media; those before are long over."""


@dataclass
class CallMedia:
    """The media frames that one session brought to the room."""

    created_s: float
    times_s: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    numbers: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """Which frame of the microphone each is: 0 for silence, -1 for a torn one."""

    def add(self, times_s: NDArray[np.float64], numbers: NDArray[np.int64]) -> None:
        """More of them, in order."""
        self.times_s = np.concatenate((self.times_s, times_s))
        self.numbers = np.concatenate((self.numbers, numbers))


class Ledger:
    """The media of all sessions, fetched from the room piece by piece."""

    def __init__(self) -> None:
        self.calls: list[CallMedia] = []

    def update(self, room: StandIn) -> None:
        """Fetches what has come since."""
        start = max(0, len(self.calls) - _LOOKED_BACK)
        for index, info in enumerate(room.calls(start), start):
            if index == len(self.calls):
                self.calls.append(CallMedia(info.created_s))
            media = self.calls[index]
            if info.received_frames > len(media.times_s):
                kept = room.received(index, len(media.times_s))
                media.add(kept.times_s, frame_numbers(kept.samples.reshape(-1, 160)))


@dataclass
class Strike:
    """One fault that struck."""

    kind: str
    struck_s: float
    gone_s: float
    """When its cause was gone; for what has no duration, when it struck."""
    recovered_s: float = math.inf
    """When all was well again; infinite where it was not until the next one."""
    next_s: float = math.inf
    """When the next one struck, or the last was over."""

    @property
    def recovery_s(self) -> float:
        """How long it took once the cause was gone."""
        return self.recovered_s - self.gone_s


@dataclass
class Outage:
    """The time without a backend and without sound devices."""

    seconds: float = 0.0
    settled_after_s: float = 0.0
    """What was logged before, told of what had just happened,"""
    first_bytes: int = 0
    then_bytes: int = 0
    """and this goes on for as long as the outage does."""


@dataclass
class Evidence:
    """All of it."""

    begin_s: float = 0.0
    """From here to `end_s` faults struck."""
    end_s: float = 0.0
    strikes: list[Strike] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    """Kinds that could not strike here, with the reason."""
    calls: list[CallMedia] = field(default_factory=list)
    memory: list[tuple[float, int]] = field(default_factory=list)
    """(time, bytes): what the daemon holds for itself."""
    before: Resources | None = None
    """In the quiet before the first fault,"""
    after: Resources | None = None
    """and in the quiet after the last."""
    outage: Outage = field(default_factory=Outage)
    log: str = ""
    shown: list[str] = field(default_factory=list)
    """Whatever else somebody could read a secret in: status, arguments."""
    tokens: list[str] = field(default_factory=list)
    stop_s: float = math.inf
    exit_status: int | None = None
