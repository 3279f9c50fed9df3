"""What is played where room audio is missing: the last pitch period again and again, fading into silence.

Pitch repetition as in ITU-T G.711 Appendix I, but it fades sooner: what is missing on a stream that loses nothing is
a stall, and seldom short. Pure; samples are `array("h")`, 8 kHz mono.
"""

from __future__ import annotations

from array import array
from typing import Final

from ingestd.core.prediction import go_on
from ingestd.core.timescale import MOST_LAG, WINDOW, cross_fade, find_period

HISTORY: Final = MOST_LAG + WINDOW
"""Samples of what was played last that a concealment needs."""
_FULL: Final = 160  # 20 ms as loud as before,
_FADE: Final = 480  # then 60 ms down to nothing
_LEAD: Final = 40  # and 5 ms until it is repetition alone
_LEAST_JOINT: Final = 32
_VOICED: Final = 0.6


class Concealment:
    """One gap's filling."""

    def __init__(self, history: array[int]) -> None:
        """Continues `history`, of at least HISTORY samples."""
        lag, likeness = find_period(history, len(history) - WINDOW)
        if likeness < _VOICED:
            lag = MOST_LAG  # a breath repeated quickly would be a tone
        # The period's end is made to lead to its own beginning, or each round would begin with a step.
        joint = min(lag, max(_LEAST_JOINT, lag // 2))
        self._period = history[-lag:-joint] + cross_fade(history[-joint:], history[-lag - joint : -lag])
        # The first round begins where no period ends: the sound goes on by itself until it is faded in.
        self._lead = go_on(history, _LEAD)
        self._made = 0

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
            if at < _LEAD:
                value = round((self._lead[at] * (_LEAD - at) + value * at) / _LEAD)
            if at > _FULL:
                value = value * (_FULL + _FADE - at) // _FADE
            out[at - first] = max(-32768, min(32767, value))
        return out
