"""When each uplink frame goes out. Pure: the sender thread asks, waits and sends.

The grid is the sound card's own: frame k is due when its last sample was complete, by the sample clock, plus a
guard. A frame that is not there yet is waited for, and the grid does not move: so every captured sample goes
out once, whatever the card's crystal does. Only a stall drops frames, and only a lost microphone adds silence.
"""

from __future__ import annotations

import enum
from typing import Final, NamedTuple

from ingestd.core.sampleclock import SampleTime
from ingestd.core.wire import FRAME_S, FRAME_SAMPLES

GUARD_S: Final = 0.002
STALL_S: Final = 0.2
"""A frame later than this is dropped; a microphone silent for this long is replaced by silence."""
_LATE_POLL_S: Final = 0.002
_HELD_POLL_S: Final = 0.010
_PAIR_SPACING_S: Final = 0.010
"""Two late frames may follow each other at once; a third waits, so that no burst fills the far end's queue."""


class Do(enum.Enum):
    """What the sender thread does next."""

    SLEEP = enum.auto()
    SEND = enum.auto()
    SILENCE = enum.auto()


class Step(NamedTuple):
    """`until_s` (CLOCK_MONOTONIC) belongs to SLEEP; `sample` (its first, in the ring) to SEND."""

    do: Do
    until_s: float = 0.0
    sample: int = 0


_made: Final = tuple.__new__
"""A named tuple without its own constructor, which is a function in Python."""


def guard_s(period_samples: int, rate_hz: int) -> float:
    """How long after its last sample a frame is due, for a device that delivers `period_samples` at a time."""
    extra = 0.0 if FRAME_SAMPLES % period_samples == 0 else period_samples / rate_hz
    return GUARD_S + extra


class Pacer:
    """The sender's grid. One thread; times are CLOCK_MONOTONIC seconds."""

    def __init__(self) -> None:
        self.guard_s = GUARD_S
        """What `guard_s` says for the device that is open; set by the sender before each step."""
        self.dropped_frames = 0
        self.next_index = 0
        """First sample of the next frame from the ring. Any thread may read it."""
        self._live = False
        self._owes = False  # not live by a stall: what the microphone brings and nobody hears counts
        self._stalled = False
        self._phase = -1  # of the sample clock, at the last frame
        self._grid_s = 0.0  # when the last frame was due, whether of sound or silence
        self._ahead_s = 0.0  # what was sent before its time, by frames that began a new grid early
        self._tick_s = 0.0  # when the last frame was due: the grid that silence goes on
        self.late_s = 0.0
        """How long after its time the frame goes out that `step` asked for."""
        self._sent_s = (0.0, 0.0)

    def step(self, now: float, clock: SampleTime | None, written: int, lost: bool) -> Step:
        """What to do at `now`, with `written` samples in the ring and the microphone `lost` or not.

        SEND and SILENCE are to be answered with `sent` or, where the frame could not go, `held`.
        """
        newest = written // FRAME_SAMPLES * FRAME_SAMPLES - FRAME_SAMPLES
        if clock is None or not self._live or clock.phase != self._phase:
            if not self._live and (clock is None or lost or newest < max(0, self.next_index)):
                if lost and self._owes:  # what it brings from now on is of another time
                    self._owes = False
                    self._drop_to(newest + FRAME_SAMPLES)
                return self._silence(now)
            due = self._begin_grid(now, clock, newest)
        else:
            _, sample, time_s, s_per_sample = clock  # `_due`, without its call: 3 µs in a thread that has just woken
            due = time_s + (self.next_index + FRAME_SAMPLES - sample) * s_per_sample + self.guard_s
        earliest = self._sent_s[0] + _PAIR_SPACING_S
        if now < due or now < earliest:
            return Step(Do.SLEEP, max(due, earliest))
        late_s = self.late_s = now - due
        if late_s > STALL_S:
            # Of a microphone that went meanwhile, nothing is from now.
            self._drop_to(newest + FRAME_SAMPLES if lost else newest - FRAME_SAMPLES)
            if clock is not None:
                self.late_s = now - self._due(clock)  # of the frame that is left
        index = self.next_index
        if newest < index:
            if lost or late_s > STALL_S:
                self._live = False
                self._owes = not lost
                # From now on, not from when it went missing: no burst of silence.
                self._tick_s = max(self._tick_s, now - FRAME_S)
                return self._silence(now)
            return Step(Do.SLEEP, now + _LATE_POLL_S)
        return _made(Step, (Do.SEND, 0.0, index))

    def sent(self, now: float, do: Do) -> float:
        """What `step` asked for is out. Returns when to ask again: until then there is nothing to do, as things are."""
        self._stalled = False
        earliest = self._sent_s[1] + _PAIR_SPACING_S
        self._sent_s = (self._sent_s[1], now)
        if do is Do.SEND:
            self.next_index += FRAME_SAMPLES
            self._tick_s = now
            self._grid_s = now - self.late_s
        else:
            self._tick_s += FRAME_S
            self._grid_s = self._tick_s
        return max(self._grid_s + FRAME_S, earliest)

    def held(self, now: float, do: Do, written: int) -> float:
        """What `step` asked for can't go yet. Returns when to ask again.

        Once that has lasted STALL_S, only the newest frame and the one before it are kept.
        """
        if do is Do.SILENCE:
            self._tick_s += FRAME_S  # silence is not worth keeping
        elif self._stalled or self.late_s > STALL_S - FRAME_S:
            self._stalled = True
            self._drop_to(written // FRAME_SAMPLES * FRAME_SAMPLES - 2 * FRAME_SAMPLES)
        return now + _HELD_POLL_S

    def _is_surplus(self, due: float) -> bool:
        """Another grid begins with a frame at `due`, on average half a frame early: is it one too many by now?

        A far end that only queues keeps what comes early as delay, so it may not add up to a whole frame.
        """
        ahead_s = max(0.0, self._ahead_s + FRAME_S - (due - self._grid_s))
        surplus = ahead_s >= FRAME_S
        self._ahead_s = ahead_s - FRAME_S if surplus else ahead_s
        return surplus

    def _begin_grid(self, now: float, clock: SampleTime | None, newest: int) -> float:
        """When the next frame is due: on a new grid, or by no clock."""
        if clock is not None and not self._live:
            # Back, or for the first time: start with the newest complete frame.
            unheard = self.next_index
            self.next_index = newest
            self._live = True
            due = self._due(clock)
            # Where even the newest is that late, the device paused unseen by the clock: nothing comes early.
            if now - due <= STALL_S and self._is_surplus(due):
                self.next_index += FRAME_SAMPLES  # not there yet: of what was silence until now
            if self._owes:
                self._owes = False
                self.dropped_frames += (self.next_index - unheard) // FRAME_SAMPLES
        elif clock is not None and self._is_surplus(self._due(clock)):
            self._drop_to(self.next_index + FRAME_SAMPLES)
        if clock is None:
            return self._tick_s + FRAME_S
        self._phase = clock.phase
        return self._due(clock)

    def _due(self, clock: SampleTime) -> float:
        return clock.time_of(self.next_index + FRAME_SAMPLES) + self.guard_s

    def _drop_to(self, index: int) -> None:
        if index > self.next_index:
            self.dropped_frames += (index - self.next_index) // FRAME_SAMPLES
            self.next_index = index

    def _silence(self, now: float) -> Step:
        due = self._tick_s + FRAME_S
        if now < due:
            return Step(Do.SLEEP, due)
        if now - due > STALL_S:
            self._tick_s = now - FRAME_S
        return Step(Do.SILENCE)
