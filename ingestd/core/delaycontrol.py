"""When the delay of room audio is put right, and how: as little as can be heard, as soon as it must. Pure.

A miss of the target is made up for in the pauses of the speech. Within speech it is done, by one pitch period at a
time, only where it is much or no pause came; and where that would take too long, audio is dropped.
"""

from __future__ import annotations

import enum
from typing import Final

from ingestd.core.wire import SAMPLE_RATE_HZ

_PER_MS: Final = SAMPLE_RATE_HZ // 1000
SLACK: Final = 10 * _PER_MS
"""By how much the delay may miss the target; more is put right in a pause."""
FINE: Final = 30 * _PER_MS
"""So much too late is left alone within speech; too soon is not, as then the next frame may miss its time."""
WAIT: Final = 1000 * _PER_MS
"""How long what is more may wait for a pause,"""
URGENT: Final = 150 * _PER_MS
"""if it is no more than this too late,"""
URGENT_LACK: Final = 40 * _PER_MS
"""or this too soon."""
INSIST: Final = 2000 * _PER_MS
"""After so long no pause and no voice came, only noise or music: then any place will do."""
STRETCH_EVERY: Final = 40 * _PER_MS
PATIENCE: Final = 300 * _PER_MS
"""How long what is too much for stretching waits for a pause to be dropped in."""


class Do(enum.Enum):
    """What to do about the delay."""

    NOTHING = enum.auto()
    IN_PAUSE = enum.auto()
    """Shorten or lengthen the pause that is next."""
    IN_SPEECH = enum.auto()
    """Take out or put in one pitch period."""
    DROP = enum.auto()


class DelayControl:
    """Decides before each pull. Counts are samples at 8 kHz; `now` is samples pulled."""

    def __init__(self, far: int) -> None:
        """More than `far` over the target is too much for stretching."""
        self._far = far
        self._right_at = 0  # when the delay was last as it should be
        self._near_at = 0
        self._stretched_at = 0
        self._urgent = False

    def begun(self, now: int) -> None:
        """Playing has begun, anew."""
        self.right(now)
        self._stretched_at = now

    def right(self, now: int) -> None:
        """The delay misses the target by no more than SLACK: nothing is to be done, as `step` would say."""
        self._right_at = self._near_at = now
        self._urgent = False

    def stretched(self, now: int) -> None:
        """A period was taken out or put in."""
        self._stretched_at = now

    def insists(self, now: int) -> bool:
        """It has been off for so long that even what is unlike itself is to be stretched."""
        return now - self._right_at > INSIST

    def step(self, now: int, excess: int, in_pause: bool) -> Do:
        """The next sample is `excess` later (negative: sooner) than the target wants; is there a pause next?"""
        if excess > self._far:
            return Do.DROP if in_pause or now - self._near_at > PATIENCE else Do.NOTHING
        self._near_at = now
        fine, urgent = (FINE, URGENT) if excess > 0 else (SLACK, URGENT_LACK)
        if abs(excess) <= fine:
            self._right_at = now
            self._urgent = False
        elif abs(excess) > urgent or now - self._right_at > WAIT:
            self._urgent = True  # and stays so until it is right
        if in_pause:
            return Do.IN_PAUSE if abs(excess) > SLACK else Do.NOTHING
        return Do.IN_SPEECH if self._urgent and now - self._stretched_at >= STRETCH_EVERY else Do.NOTHING
