"""How fast a stream of samples runs against CLOCK_MONOTONIC, from counts that may be late but never early. Pure.

Frames come over a network, a loudspeaker tells what it has played a period at a time, and whoever reads a microphone
may be held up: lateness is one-sided and comes in bursts. So of each second only the count that was least late is
kept, and a straight line is laid through those of the last five minutes. Where the stream stopped for a while (nobody
spoke, the device ran dry), another line begins; all lines have the same slope, by least squares, so that each counts by
the square of its length.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final, NamedTuple

from ingestd.core.wire import SAMPLE_RATE_HZ

WINDOW_S: Final = 1.0
_WINDOWS: Final = 300
_LEAST_WINDOW_S: Final = 0.9
"""What a line's last window has to have seen to count: of less, the least lateness is more, which bends the line."""
_GAP_S: Final = 0.1
"""May be a pause: no window has counts of both its sides, as those before it may be too few."""
_STEP_S: Final = 0.005
"""More from one window to the next is no drift (1000 ppm make 1 ms) but samples that were left out or lost."""
_KNOWN_AFTER_S: Final = 30.0
"""From point to point, of all lines together."""
_KNOWN_WEIGHT_S2: Final = 150.0
"""Sum of squares about each line's middle: with half a millisecond of noise in the points, the slope's is 40 ppm."""
_FIT_EVERY: Final = 5
"""Windows; people read it, and each time costs a walk over all points."""
LOOKED_AT_TOGETHER: Final = 5
"""Counts: 2 µs each, where one by itself takes ten in a thread that has just woken."""


class _Point(NamedTuple):
    line: int
    time_s: float
    late_s: float


class Drift:
    """Follows one stream. Methods belong to the thread that counts."""

    def __init__(self) -> None:
        self._points: deque[_Point] = deque(maxlen=_WINDOWS)
        self.observed: list[tuple[float, int]] = []
        """What `look` has not seen yet: who counts each frame does as `observe`, with one call less."""
        self._new_points = 0
        self._line = 0
        self._seen_s = -math.inf  # while no line goes on
        self._begun_s = 0.0
        self._least_late_s = math.inf  # by a count that began at 0; only differences matter
        self._least_at_s = 0.0
        self.ppm: float | None = None
        """How much faster it runs than 8000 samples a second; None until known. Any thread."""

    def observe(self, time_s: float, samples: int) -> None:
        """By `time_s` (CLOCK_MONOTONIC) `samples` had come in all; both only ever grow."""
        self.observed.append((time_s, samples))
        if len(self.observed) >= LOOKED_AT_TOGETHER:
            self.look()

    def look(self) -> None:
        """At what was observed."""
        for time_s, samples in self.observed:
            self._follow(time_s, samples)
        self.observed.clear()

    def _follow(self, time_s: float, samples: int) -> None:
        if time_s - self._seen_s > _GAP_S:
            self._after_gap(time_s)
        self._seen_s = time_s
        late_s = time_s - samples / SAMPLE_RATE_HZ
        if late_s < self._least_late_s:
            self._least_late_s = late_s
            self._least_at_s = time_s
        if time_s - self._begun_s >= WINDOW_S:
            self._end_window()
            self._begin_window(time_s)

    def interrupted(self) -> None:
        """Samples are missing from here on, of the same stream: its rate is kept. Nothing where that is known."""
        self.look()
        if self._seen_s > -math.inf:
            self._end_window()
            self._seen_s = -math.inf

    def restart(self) -> None:
        """Another stream: nothing of the old one counts."""
        self.observed.clear()
        self._points.clear()
        self._seen_s = -math.inf
        self.ppm = None

    def _after_gap(self, time_s: float) -> None:
        if self._seen_s > -math.inf:
            self._end_window()
        else:
            self._line += 1
        self._begin_window(time_s)

    def _begin_window(self, time_s: float) -> None:
        self._begun_s = time_s
        self._least_late_s = math.inf

    def _end_window(self) -> None:
        if self._seen_s - self._begun_s < _LEAST_WINDOW_S:
            return
        if self._points and self._points[-1].line == self._line:
            step_s = self._least_late_s - self._points[-1].late_s
            if abs(step_s) > _STEP_S:
                self._line += 1
        self._points.append(_Point(self._line, self._least_at_s, self._least_late_s))
        self._new_points += 1
        if self._new_points >= _FIT_EVERY:
            self._new_points = 0
            self._fit()

    def _fit(self) -> None:
        lines: dict[int, list[_Point]] = {}
        for point in self._points:
            lines.setdefault(point.line, []).append(point)
        long = [points for points in lines.values() if len(points) > 1]
        if sum(points[-1].time_s - points[0].time_s for points in long) < _KNOWN_AFTER_S:
            return
        above = below = 0.0
        for points in long:
            mid_time_s = sum(point.time_s for point in points) / len(points)
            mid_late_s = sum(point.late_s for point in points) / len(points)
            above += sum((point.time_s - mid_time_s) * (point.late_s - mid_late_s) for point in points)
            below += sum((point.time_s - mid_time_s) ** 2 for point in points)
        if below < _KNOWN_WEIGHT_S2:
            return
        # Who runs fast is ever less late.
        self.ppm = -above / below * 1e6
