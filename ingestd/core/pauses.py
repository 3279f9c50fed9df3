"""Finds the pauses of speech, in which its length may be changed unheard. Pure; samples are `array("h")`, 8 kHz."""

from __future__ import annotations

from array import array
from typing import Final

from ingestd.core.energy import energy, mean_square
from ingestd.core.wire import SAMPLE_RATE_HZ

PAUSE: Final = 100 * SAMPLE_RATE_HZ // 1000
"""Within a word lips are closed for less than this; who is quiet so long pauses."""
_LONGEST: Final = 400 * SAMPLE_RATE_HZ // 1000
"""It looks no further ahead than this."""
_QUIET: Final = 100.0**2
"""Energy of a pause: -50 dBFS,"""
_OVER_FLOOR: Final = 3.0
"""or this much over the noise of the room,"""
_LOUDEST_QUIET: Final = 1000.0**2
"""which is never more than -30 dBFS."""
_FLOOR_RISE: Final = 1.0 + 0.5 / SAMPLE_RATE_HZ
"""By sample. What is taken for noise rises by 2 dB a second until the next pause."""
_STEP: Final = 10 * SAMPLE_RATE_HZ // 1000


class Pauses:
    """Follows what is played."""

    def __init__(self) -> None:
        self._floor = _QUIET

    def played(self, samples: array[int]) -> None:
        """This was played next."""
        # A quarter of the samples tells the energy well enough.
        self._floor = min(mean_square(samples[::4]), self._floor * _FLOOR_RISE ** len(samples)) or 1.0

    def surely_over(self, queue: array[int], since: int) -> bool:
        """True where `queue` can begin with no pause, whatever the `since` samples were that `played` still lacks.

        Most often it is the energy of 20 samples that tells: 2 µs, where `quiet_ahead` takes 10.
        """
        return energy(queue[:_STEP:4]) > _STEP * _quiet(self._floor * _FLOOR_RISE**since)

    def quiet_ahead(self, queue: array[int], history: array[int]) -> int:
        """How many samples at the head of `queue` belong to a pause; `history`, at least PAUSE long, ended there."""
        quiet = _quiet(self._floor)
        ahead = 0
        longest = min(len(queue), _LONGEST)
        while ahead < longest and mean_square(queue[ahead : ahead + _STEP]) <= quiet:
            ahead += _STEP
        ahead = min(ahead, longest)
        if not ahead:
            return 0
        behind, end = 0, len(history)
        while ahead + behind < PAUSE and mean_square(history[end - behind - _STEP : end - behind]) <= quiet:
            behind += _STEP
        return ahead if ahead + behind >= PAUSE else 0


def _quiet(floor: float) -> float:
    """Up to what energy it is a pause."""
    return max(_QUIET, min(_LOUDEST_QUIET, _OVER_FLOOR * floor))
