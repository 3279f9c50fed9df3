"""Playout in simulated time, for the tests of it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ingestd.core.playout import Playout
from tests.rig.wav import Pcm

RATE = 8000
MS = 8
FRAME = 160


class Run:
    """Pulls every 20 ms, or as often as `every_ms` says; what has arrived by then is pushed before."""

    def __init__(
        self, pcm: Pcm, arrivals_ms: Iterable[float], max_delay_ms: int = 400, every_ms: int = 20
    ) -> None:
        self.playout = Playout(max_delay_ms)
        self.delays_ms: list[float] = []
        self.targets_ms: list[float] = []
        played: list[bytes] = []
        arrivals = list(arrivals_ms)
        number = 0
        for now_ms in range(0, round(arrivals[-1]) + 1000, every_ms):
            while number < len(arrivals) and arrivals[number] <= now_ms:
                self.playout.push(pcm[number * FRAME : (number + 1) * FRAME].astype("<i2").tobytes())
                number += 1
            played.append(self.playout.pull(every_ms * MS))
            self.delays_ms.append(self.playout.delay_ms)
            self.targets_ms.append(self.playout.target_ms)
        self.played: Pcm = np.frombuffer(b"".join(played), "<i2").astype(np.int16)


def tone(seconds: float, hz: float = 200.0, level: float = 8000.0) -> Pcm:
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)).astype(np.int16)


def steady(seconds: float, start_ms: float = 0.0) -> NDArray[np.float64]:
    return np.arange(round(seconds * 50)) * 20.0 + np.float64(start_ms)


def bend(pcm: Pcm) -> int:
    """The sharpest bend: what a click has and a voice has not."""
    return int(np.max(np.abs(np.diff(pcm.astype(np.int64), 2))))
