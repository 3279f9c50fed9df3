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
        self.wanted: int | None = None
        """How late a sample is to be played; None while nothing is known of the stream, and while `undecided`."""
        self.calm_until = 0
        """Before that time what arrives late by `least` or more changes nothing that is asked here:"""
        self.least = 0
        self.calm: list[tuple[int, int]] = []
        """whoever would tell `arrived` leaves it here, to be counted with the next. Three in four need no call then."""

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
        self._count_calm()
        self._recent.clear()
        self.wanted = None
        self._last = self._gap_end = self._interval_start = self._excused_since = None
        self._interval_most = 0

    def excuse(self, time: int) -> None:
        """Up to `time` nobody looked at what came: that it is late says nothing about the network."""
        self._count_calm()
        self._excused_since = time

    def arrived(self, media: int, time: int) -> None:
        """The stream's samples up to `media` are here at `time`, which is samples given to the speaker."""
        self.calm.append((media, time))
        self._count_calm()
        recent, start = self._recent, self._interval_start
        if recent and start is not None and self._gap_end is None and self._excused_since is None:
            self.least = recent[0][1]
            self.calm_until = min(time + _GAP, recent[0][0] + _HISTORY, start + _INTERVAL)

    def _count_calm(self) -> None:
        for media, time in self.calm:
            self._arrived(media, time)
        self.calm.clear()
        self.calm_until = 0

    def _arrived(self, media: int, time: int) -> None:
        lateness = time - media
        frame = media - self._media
        self._media = media
        if frame > self._frame:
            self._frame = min(frame, self._most)
        last = self._last
        self._last = time
        after_gap = last is not None and time - last >= _GAP
        gap_end = self._gap_end
        if gap_end is None and not after_gap:
            if self._excused_since is not None:
                if not self._caught_up(time - self._excused_since, lateness):
                    return
                self._excused_since = None
            self._count(time, lateness, lateness)
            self.wanted = self._recent[0][1] + self.samples
            return
        if gap_end is None:
            self._gap_most = lateness
        if after_gap or gap_end is None:  # perhaps before the last was judged: both are, by what follows this one
            self._gap_end = gap_end = time
            self._gap_least = lateness
        self._gap_most = max(self._gap_most, lateness)
        self._gap_least = min(self._gap_least, lateness)
        self._judge_gap(time, lateness, time - gap_end)
        base = self.base
        self.wanted = None if base is None or self._gap_end is not None else base + self.samples

    def _caught_up(self, since: int, lateness: int) -> bool:
        """The speaker is filled again, and what waited for it has been seen."""
        base = self.base
        return base is None or since >= _DECIDE_AFTER or (since > 0 and lateness <= base + FRAME_SAMPLES)

    def _judge_gap(self, time: int, lateness: int, since_gap: int) -> None:
        base = self.base
        if base is not None and lateness <= base + max(FRAME_SAMPLES, self.samples // 2):
            self.stalls += 1
            if self._excused_since is None:
                self._count(time, self._gap_least, self._gap_most)
        elif since_gap >= _DECIDE_AFTER or base is None:
            self.pauses += 1
            self._recent.clear()
            self._recent.append((time, self._gap_least))
        else:
            return
        self._gap_end = None

    def _count(self, time: int, least: int, most: int) -> None:
        """Came at `time`, alone or with others after a gap: what came was late by `least` to `most`."""
        recent = self._recent
        while recent and recent[-1][1] >= least:
            recent.pop()
        recent.append((time, least))
        while recent[0][0] < time - _HISTORY:
            recent.popleft()
        relative = most - recent[0][1]
        if relative > self._interval_most and relative <= _HOPELESS * self._most:
            self._interval_most = min(relative, self._most)
        start = self._interval_start
        if start is None:
            self._interval_start = time
        if start is None or time - start < _INTERVAL:
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
