"""What is played where room audio is missing: the last pitch period again and again, fading into silence.

Pitch repetition as in ITU-T G.711 Appendix I, but it fades sooner: what is missing on a stream that loses nothing is
a stall, and seldom short. Pure; samples are `array("h")`, 8 kHz mono.
"""

from __future__ import annotations

from array import array
from typing import Final

from ingestd.core.timescale import MOST_LAG, WINDOW, find_period

HISTORY: Final = MOST_LAG + WINDOW
"""Samples of what was played last that a concealment needs."""
_FULL: Final = 160  # 20 ms as loud as before,
_FADE: Final = 480  # then 60 ms down to nothing
_RAMP: Final = 24


class Concealment:
    """One gap's filling."""

    def __init__(self, history: array[int]) -> None:
        """Continues `history`, of at least HISTORY samples."""
        lag, _ = find_period(history, len(history) - WINDOW)
        self._period = history[-lag:]
        self._made = 0
        # Speech is never quite periodic, so a repeated period begins with a step: it is let out over 3 ms.
        self._step = 2 * history[-1] - history[-2] - self._period[0]

    @property
    def silent(self) -> bool:
        """It has faded out."""
        return self._made >= _FULL + _FADE

    def take(self, samples: int) -> array[int]:
        """The next `samples` of it."""
        first, lag, period = self._made, len(self._period), self._period
        self._made += samples
        out = array("h", bytes(2 * samples))
        for at in range(first, min(first + samples, _FULL + _FADE)):
            value = period[at % lag]
            if at < _RAMP:
                value += self._step * (_RAMP - at) // _RAMP
            if at > _FULL:
                value = value * (_FULL + _FADE - at) // _FADE
            out[at - first] = max(-32768, min(32767, value))
        return out
