"""What was played last, for whatever is to go on from it or to fit behind it. Pure; samples are 16 bits, 8 kHz mono.

Most of it is never asked for, so pulls are only piled up, and filed many at a time: that takes 3 µs a pull, where a
wake-up that finds its caches cold would take 30.
"""

from __future__ import annotations

from array import array
from typing import Final

from ingestd.core.concealment import HISTORY
from ingestd.core.pauses import PAUSE, Pauses

_KEPT: Final = max(HISTORY, PAUSE)
FILED_TOGETHER: Final = 50


class Played:
    """One thread's own."""

    def __init__(self) -> None:
        self._pauses = Pauses()
        self._filed = array("h", bytes(2 * _KEPT))
        self.piled: list[bytes] = []
        """What was played after that. Whoever plays appends, and asks for `history` every FILED_TOGETHER."""

    def history(self) -> array[int]:
        """At least HISTORY samples; not to be changed, nor kept over the next pull."""
        filed = self._filed
        for pcm in self.piled:
            samples = array("h", pcm)
            self._pauses.played(samples)
            filed += samples
        del filed[:-_KEPT]
        self.piled.clear()
        return filed

    def quiet_ahead(self, queue: array[int]) -> int:
        """How many samples at the head of `queue`, which is played next, belong to a pause."""
        if self._pauses.surely_over(queue, sum(map(len, self.piled)) // 2):
            return 0
        return self._pauses.quiet_ahead(queue, self.history())

    def forget(self) -> None:
        """What comes next goes on from nothing."""
        self.history()
        self._filed = array("h", bytes(2 * _KEPT))
