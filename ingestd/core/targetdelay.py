"""How much room audio to hold back: the 95 % quantile of how late it comes, with forgetting. Pure.

After NetEQ's delay manager (WebRTC): a frame's relative delay is how much later it came than the quickest of the
last two seconds; the greatest of each half second goes into a histogram that forgets, and its 95 % quantile is what
to hold back. Time is the speaker's own: samples it was given. So the server's clock against the speaker's is part of
what is measured, and no other clock is needed.

A room that says nothing is not late. After a pause in which nothing was sent, frames come at their usual pace, all of
them later than before the pause; after a stall of TCP they come in a burst that catches up. Only the latter counts.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from ingestd.core.wire import FRAME_SAMPLES, SAMPLE_RATE_HZ

LEAST_DELAY: Final = 40 * SAMPLE_RATE_HZ // 1000
"""Of frames of 20 ms: one that plays, and one in hand."""
FIRST_DELAY: Final = 80 * SAMPLE_RATE_HZ // 1000
"""Until something is known of the network."""
QUANTILE: Final = 0.95
FORGETTING: Final = 0.983
"""By half second: half is forgotten after 20 s."""
_INTERVAL: Final = SAMPLE_RATE_HZ // 2
_BUCKET: Final = 5 * SAMPLE_RATE_HZ // 1000
_HISTORY: Final = 2 * SAMPLE_RATE_HZ
_HOPELESS: Final = 2
"""What is later than this many times the greatest delay is no jitter to be covered, not even in part."""
_GAP: Final = 60 * SAMPLE_RATE_HZ // 1000
"""After so long without a frame it is open whether the room paused or the network stalled,"""
_DECIDE_AFTER: Final = 200 * SAMPLE_RATE_HZ // 1000
"""for this long at most."""


class TargetDelay:
    """Fed with every arrival; all counts are samples at 8 kHz. The receiver's own."""

    def __init__(self, most: int) -> None:
        """`most`: the greatest delay that is worth holding back."""
        self._most = most
        self._weights = [0.0] * (most // _BUCKET + 1)
        self._recent: deque[tuple[int, int]] = deque()  # (time, lateness), lateness rising: the least stands first
        self._last: int | None = None
        self._gap_end: int | None = None
        self._gap_most = 0
        self._gap_least = 0
        self._excused_since: int | None = None
        self._interval_start: int | None = None
        self._interval_most = 0
        self._media = 0
        self._frame = self._frame_before = FRAME_SAMPLES  # the longest of this half second and the one before
        self.pauses = 0
        """Gaps in which the room said nothing."""
        self.stalls = 0
        """Gaps after which everything came at once."""
        self.samples = min(FIRST_DELAY, most)
        """What to hold back now."""

    @property
    def base(self) -> int | None:
        """The lateness of the quickest recent frame; None before the first."""
        return self._recent[0][1] if self._recent else None

    @property
    def undecided(self) -> bool:
        """It is open whether the last gap was a pause or a stall."""
        return self._gap_end is not None

    def restart(self) -> None:
        """A new connection, a new count of its samples; what is known of the network stays."""
        self._recent.clear()
        self._last = self._gap_end = self._interval_start = self._excused_since = None
        self._interval_most = 0

    def excuse(self, time: int) -> None:
        """Up to `time` nobody looked at what came: that it is late says nothing about the network."""
        self._excused_since = time

    def arrived(self, media: int, time: int) -> None:
        """The stream's samples up to `media` are here at `time`, which is samples given to the speaker."""
        lateness = time - media
        self._frame = max(self._frame, min(media - self._media, self._most))
        self._media = media
        after_gap = self._last is not None and time - self._last >= _GAP
        self._last = time
        if self._gap_end is None and not after_gap:
            if self._excused_since is not None:
                if not self._caught_up(time - self._excused_since, lateness):
                    return
                self._excused_since = None
            self._note(time, lateness)
            self._weigh(time, lateness)
            return
        if self._gap_end is None:
            self._gap_most = lateness
        gap_end = self._gap_end
        if after_gap or gap_end is None:  # perhaps before the last was judged: both are, by what follows this one
            self._gap_end = gap_end = time
            self._gap_least = lateness
        self._gap_most = max(self._gap_most, lateness)
        self._gap_least = min(self._gap_least, lateness)
        self._judge_gap(time, lateness, time - gap_end)

    def _caught_up(self, since: int, lateness: int) -> bool:
        """The speaker is filled again, and what waited for it has been seen."""
        base = self.base
        return base is None or since >= _DECIDE_AFTER or (since > 0 and lateness <= base + FRAME_SAMPLES)

    def _judge_gap(self, time: int, lateness: int, since_gap: int) -> None:
        base = self.base
        if base is not None and lateness <= base + max(FRAME_SAMPLES, self.samples // 2):
            self.stalls += 1
            if self._excused_since is None:
                self._note(time, self._gap_least)
                self._weigh(time, self._gap_most)
        elif since_gap >= _DECIDE_AFTER or base is None:
            self.pauses += 1
            self._recent.clear()
            self._note(time, self._gap_least)
        else:
            return
        self._gap_end = None

    def _note(self, time: int, lateness: int) -> None:
        recent = self._recent
        while recent and recent[-1][1] >= lateness:
            recent.pop()
        recent.append((time, lateness))
        while recent[0][0] < time - _HISTORY:
            recent.popleft()

    def _weigh(self, time: int, lateness: int) -> None:
        relative = lateness - self._recent[0][1]
        if relative <= _HOPELESS * self._most:
            self._interval_most = max(self._interval_most, min(relative, self._most))
        if self._interval_start is None:
            self._interval_start = time
        if time - self._interval_start < _INTERVAL:
            return
        self._weights = [weight * FORGETTING for weight in self._weights]
        self._weights[self._interval_most // _BUCKET] += 1.0
        self._interval_start, self._interval_most = time, 0
        # What plays while the next frame is on its way, and the jitter, or as much as another of 20 ms, on top.
        frame = max(self._frame, self._frame_before)
        self._frame_before, self._frame = self._frame, 0
        self.samples = min(self._most, frame + max(self._quantile(), FRAME_SAMPLES))

    def _quantile(self) -> int:
        wanted = sum(self._weights) * QUANTILE
        seen = 0.0
        for bucket, weight in enumerate(self._weights):
            seen += weight
            if seen >= wanted:
                return bucket * _BUCKET
        return self._most
