"""How full the speaker's own buffer is kept: as little as this machine's lateness allows. Pure.

A machine that is late once in a while lets the device run dry, however well the room's audio came. So each time adds
to the fill, and quiet minutes take it back: where that was too soon, twice as many the next time, an hour at the most.
"""

from __future__ import annotations

from typing import Final

from ingestd.core.wire import SAMPLE_RATE_HZ

LEAST_FILL: Final = 50 * SAMPLE_RATE_HZ // 1000
"""Samples: enough for a thread that is 50 ms late, counted from a full device."""
MOST_FILL: Final = 200 * SAMPLE_RATE_HZ // 1000
_MORE: Final = 20 * SAMPLE_RATE_HZ // 1000
_LESS: Final = 5 * SAMPLE_RATE_HZ // 1000
_CALM_S: Final = 60.0
_LONGEST_CALM_S: Final = 3600.0
_LESS_EVERY_S: Final = 10.0


class DeviceFill:
    """Of one opening of a device. The receiver thread's own; times are CLOCK_MONOTONIC seconds."""

    def __init__(self, period_samples: int, buffer_samples: int, now: float) -> None:
        """A device that moves by long periods needs two of them, and none holds more than its buffer."""
        self._least = min(max(LEAST_FILL, 2 * period_samples), buffer_samples)
        self._most = min(max(MOST_FILL, self._least), buffer_samples)
        self._calm_s = _CALM_S
        self._held = 0  # what sufficed before it was lowered, where it has not run dry since
        self._less_at_s = now + _CALM_S
        self.samples = self._least
        """What to keep it at."""

    def ran_dry(self, now: float) -> None:
        """It underran."""
        if self._held:
            self._calm_s = min(2 * self._calm_s, _LONGEST_CALM_S)
        self.samples = min(self._most, self._held or self.samples + _MORE)
        self._held = 0
        self._less_at_s = now + self._calm_s

    def step(self, now: float) -> None:
        """To be called now and then."""
        if now < self._less_at_s:
            return
        if self.samples > self._least:
            self._held = self._held or self.samples
            self.samples = max(self._least, self.samples - _LESS)
            self._less_at_s = now + (_LESS_EVERY_S if self.samples > self._least else _LONGEST_CALM_S)
        else:  # so long without more than the least: what was is over
            self._calm_s = _CALM_S
            self._held = 0
            self._less_at_s = now + _LONGEST_CALM_S
