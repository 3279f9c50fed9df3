"""The sound card's clock as seen by CLOCK_MONOTONIC: a delay-locked loop over (time, sample count) pairs.

After F. Adriaensen, "Using a DLL to filter time" (Linux Audio Conference 2005), as JACK uses it, but over
samples instead of periods, so that reads of any size feed it. Reads come late, never early, so the first phase
is the earliest of the first pairs; from there the loop narrows from 1 Hz to 0.05 Hz.

The capture thread observes; what it publishes is one immutable `SampleTime`, replaced as a whole, so that any
thread reads a consistent one without a lock.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

_FIRST_PAIRS: Final = 10
_MAX_ERROR_S: Final = 0.002
_MAX_RATE_ERROR: Final = 2000e-6
_FINAL_BANDWIDTH_HZ: Final = 0.05
_MAX_OMEGA: Final = 0.5
"""Keeps the loop stable where one read brings a large part of a second."""
_JUMP_S: Final = 0.02
_JUMP_PAIRS: Final = 25
"""So many reads in a row, all late by more than _JUMP_S, or one as early: samples were lost and nobody said so."""
_SQRT2: Final = math.sqrt(2.0)


class SampleTime(NamedTuple):
    """Sample number `sample` was complete at `time_s`; each takes `s_per_sample`. `phase` counts re-locks."""

    phase: int
    sample: int
    time_s: float
    s_per_sample: float

    def time_of(self, index: int) -> float:
        """When sample number `index` is (or was) complete, CLOCK_MONOTONIC seconds."""
        return self.time_s + (index - self.sample) * self.s_per_sample


class SampleClock:
    """Follows one capture device. Methods belong to the capture thread; `now` may be read by any."""

    def __init__(self, rate_hz: int) -> None:
        self._nominal = 1.0 / rate_hz
        self._spp = self._nominal
        self._phase = 0
        self._pairs = 0
        self._age_s = 0.0
        self._index = 0
        self._time_s = 0.0
        self._least_late_s = math.inf
        self._late_pairs = 0
        self._good_spp = (self._spp, self._spp)
        """Seconds per sample at the starts of the last run of reads and of this one."""
        self.settled = False
        """The phase is found; until then each pair moves it. The capture thread."""
        self.gaps = 0
        """Losses of samples that only the clock gave away. Any thread."""
        self.now: SampleTime | None = None
        """The latest estimate; None until the first pair, and after a `relock` until the next one."""

    @property
    def drift_ppm(self) -> float:
        """How much faster the device runs than its nominal rate, parts per million. Any thread."""
        return (self._nominal / self._spp - 1.0) * 1e6

    def relock(self) -> None:
        """The stream broke (xrun, re-plug): the phase is found anew, the rate is kept."""
        self._pairs = 0
        self.settled = False
        self._late_pairs = 0
        self._least_late_s = math.inf
        self.now = None

    def observe(self, time_s: float, index: int) -> None:
        """`index` samples in all had been read by `time_s`; both only ever grow."""
        if self._pairs == 0:
            self._phase += 1
            self._index, self._time_s = index, time_s
        elif self._pairs < _FIRST_PAIRS:
            predicted = self._time_s + (index - self._index) * self._spp
            self._index, self._time_s = index, min(time_s, predicted)
            self.settled = self._pairs + 1 == _FIRST_PAIRS
        else:
            self._track(time_s, index)
        self._pairs += 1
        self.now = SampleTime(self._phase, self._index, self._time_s, self._spp)

    def _track(self, time_s: float, index: int) -> None:
        samples = index - self._index
        if samples <= 0:
            return
        dt = samples * self._spp
        self._age_s += dt
        bandwidth_hz = max(_FINAL_BANDWIDTH_HZ, 1.0 / (1.0 + self._age_s))
        omega = min(_MAX_OMEGA, 2.0 * math.pi * dt * bandwidth_hz)
        error = time_s - (self._time_s + dt)
        if self._jumped(error):
            self.gaps += 1
            self._spp = self._good_spp[0]  # what the loop has made of the gap so far is no rate
            self.relock()
            self.observe(time_s, index)
            return
        error = max(-_MAX_ERROR_S, min(_MAX_ERROR_S, error))
        self._index = index
        self._time_s += dt + _SQRT2 * omega * error
        spp = self._spp + omega * omega * error / samples
        limit = self._nominal * _MAX_RATE_ERROR
        self._spp = max(self._nominal - limit, min(self._nominal + limit, spp))

    def _jumped(self, error_s: float) -> bool:
        if error_s < -_JUMP_S:
            return True
        self._least_late_s = min(self._least_late_s, error_s)
        self._late_pairs += 1
        if self._late_pairs < _JUMP_PAIRS:
            return False
        jumped = self._least_late_s > _JUMP_S
        if not jumped:
            # The gap may lie anywhere in the run before the one that shows it.
            self._good_spp = (self._good_spp[1], self._spp)
        self._late_pairs = 0
        self._least_late_s = math.inf
        return jumped
