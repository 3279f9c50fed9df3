"""Between the network and the speaker: as little delay as the network's jitter allows. Pure; the receiver thread's own.

Time is samples pulled, so the speaker is the only clock. The delay is held to a target that covers the jitter
(`targetdelay`): what is too much is taken out, what is too little put in (when: `delaycontrol`; where: `pauses`,
`timescale`); what is missing is concealed (`concealment`); what no stretching could catch up with is dropped. Every
seam is cross-faded.
"""

from __future__ import annotations

from array import array
from typing import Final

from ingestd.core import timescale
from ingestd.core.concealment import HISTORY, Concealment
from ingestd.core.delaycontrol import SLACK, DelayControl, Do
from ingestd.core.played import FILED_TOGETHER, Played
from ingestd.core.targetdelay import TargetDelay
from ingestd.core.wire import SAMPLE_RATE_HZ

_PER_MS: Final = SAMPLE_RATE_HZ // 1000
_LIKE: Final = 0.9
"""Within speech a period may be taken out or put in where the next resembles it this much."""
_MOST_AT_ONCE: Final = 20 * _PER_MS
_FADE: Final = 10 * _PER_MS


class _Gap:
    """The queue ran dry: for so many samples so far, with `pauses` of the room before it."""

    __slots__ = ("pauses", "samples", "stalled")

    def __init__(self, pauses: int) -> None:
        self.pauses = pauses
        self.samples = 0
        self.stalled = False  # known to be no pause


class Playout:
    """Room audio on its way to the speaker: 16-bit mono PCM at 8 kHz. Counters only grow; any thread reads them."""

    def __init__(self, max_delay_ms: int) -> None:
        """`max_delay_ms`: the most the target may be; after a stall, what is more than this over it is dropped."""
        self._most = max_delay_ms * _PER_MS
        self._target = TargetDelay(self._most)
        self._queue = array("h")
        self._played = Played()
        self._pulled = 0
        self._pushed = 0
        self._playing = False
        self._heard = False
        self._first_came: int | None = None  # while not playing: when the queue began to come
        self._concealment: Concealment | None = None
        self._gap: _Gap | None = None
        self._spliced = False  # what comes next is of another source
        self._control = DelayControl(self._most)
        self._right_at: int | None = None  # when the delay was last within SLACK, until `_control` is told
        self.underruns = 0
        """Stalls that the delay did not cover."""
        self.concealed_samples = 0
        """Played in place of what stalled: repeated periods, then silence. Not the silence of a room at rest."""
        self.dropped_samples = 0
        self.accelerated = 0
        """How often a period was taken out,"""
        self.expanded = 0
        """or put in,"""
        self.shortened_samples = 0
        self.lengthened_samples = 0

    @property
    def delay_ms(self) -> float:
        """What is queued, milliseconds."""
        return len(self._queue) / _PER_MS

    @property
    def target_ms(self) -> float:
        """What the delay is held to, milliseconds."""
        return self._target.samples / _PER_MS

    def push(self, pcm: bytes) -> None:
        """Room audio has come in: a whole number of samples."""
        size = len(pcm) // 2
        if self._spliced and size:
            pcm = self._joined(array("h", pcm))
        if self._first_came is None and not self._playing:
            self._first_came = self._pulled - size  # as if its first sample had come when it was said
        queue, target, now = self._queue, self._target, self._pulled
        queue.frombytes(pcm)
        self._pushed = pushed = self._pushed + size
        if now < target.calm_until and now - pushed >= target.least and size:
            target.calm.append((pushed, now))
        else:
            target.arrived(pushed, now)
        if self._gap is not None:
            self._account_for_gap(self._gap)
        excess = len(queue) - target.samples
        if excess > 2 * self._most:
            self._drop(excess)

    def pull(self, samples: int) -> bytes:
        """The next `samples` to play."""
        if not self._playing and self._ready():
            self._begin()
        if self._playing:
            queue, wanted = self._queue, self._target.wanted
            excess = 0 if wanted is None else self._pulled - self._pushed + len(queue) - wanted
            if -SLACK <= excess <= SLACK:
                self._right_at = self._pulled
            else:
                self._adjust(excess)
            heard = queue[:samples]
            del queue[:samples]
            if len(heard) < samples:
                self._run_dry(heard)
                heard += self._fill(samples - len(heard))
        else:
            heard = self._fill(samples)
        self._pulled += samples
        out = heard.tobytes()
        played = self._played
        played.piled.append(out)
        if len(played.piled) >= FILED_TOGETHER:
            played.history()
        return out

    def clear(self) -> None:
        """A new connection: what the old one left is no longer now."""
        self.dropped_samples += len(self._queue)
        del self._queue[:]
        if self._playing:
            self._run_dry(array("h"))
        self._first_came = self._gap = None
        self._spliced = False
        self._target.restart()

    def splice(self) -> None:
        """From the next push on the room comes by another connection, some of it again or some of it not at all.

        What is queued is played, and fades into what comes. By how much sooner or later that is, is no jitter; nor is
        it known whether what is missing in between stalled, or was said at all.
        """
        self._target.restart()
        self._gap = None
        self._spliced = True

    def discard(self) -> None:
        """Nobody hears it, as there is no speaker: nothing is kept, nor goes on once there is one."""
        self.clear()
        self._concealment = None
        self._played.forget()

    def starved(self, samples: int) -> None:
        """Nobody pulled in time; the speaker ran dry for so long, or not at all (0). To be told before the next push.

        Its clock went on: without that, all that is pushed next would seem to have come early, and the rest late.
        """
        self._pulled += samples
        self._target.excuse(self._pulled)
        if self._playing and samples:
            self._playing = False
            self._concealment = None
            self._first_came = self._pulled if self._queue else None

    # --- delay ---

    def _excess(self) -> int:
        """By how many samples the next one is played later than the target wants; negative: sooner."""
        wanted = self._target.wanted
        return self._pulled - self._pushed + len(self._queue) - wanted if wanted is not None else 0

    def _adjust(self, excess: int) -> None:
        """By more than SLACK."""
        if self._right_at is not None:
            self._control.right(self._right_at)
            self._right_at = None
        quiet = self._played.quiet_ahead(self._queue)
        match self._control.step(self._pulled, excess, quiet > 0):
            case Do.IN_PAUSE:
                self._adjust_pause(excess, quiet)
            case Do.IN_SPEECH:
                self._adjust_speech(excess)
            case Do.DROP:
                self._drop(min(excess, len(self._queue) - self._target.samples))

    def _adjust_pause(self, excess: int, ahead: int) -> None:
        """Makes a pause shorter or longer."""
        if excess > 0:
            less = min(excess, ahead - _FADE)
            if less > 0:
                self._cut(less)
                self.accelerated += 1
                self.shortened_samples += less
        else:
            more = min(-excess, ahead, _MOST_AT_ONCE)
            self._queue[0:0] = timescale.extra_period(self._played.history(), self._queue, more)
            self.expanded += 1
            self.lengthened_samples += more

    def _adjust_speech(self, excess: int) -> None:
        """Takes a pitch period out, or puts one in."""
        at = timescale.MOST_LAG
        queue = self._queue
        if excess > 0:
            if len(queue) < 2 * at or not (lag := self._period(queue[: 2 * at])):
                return
            queue[: 2 * at] = timescale.without_period(queue[: 2 * at], at, lag)
            self.accelerated += 1
            self.shortened_samples += lag
        else:
            history = self._played.history()
            if len(queue) < at or not (lag := self._period(history[-at:] + queue[:at])):
                return
            queue[0:0] = timescale.extra_period(history, queue, lag)
            self.expanded += 1
            self.lengthened_samples += lag
        self._control.stretched(self._pulled)

    def _period(self, around: array[int]) -> int:
        """The period to take out or put in MOST_LAG samples on; 0 where it would be heard and can wait."""
        lag, likeness = timescale.find_period(around, timescale.MOST_LAG)
        return lag if likeness >= _LIKE or self._control.insists(self._pulled) else 0

    def _drop(self, samples: int) -> None:
        if 0 < samples <= len(self._queue) - _FADE:
            self._cut(samples)
            self.dropped_samples += samples

    def _cut(self, samples: int) -> None:
        """Takes `samples` out at the head of the queue, fading what was there into what comes next."""
        faded = timescale.cross_fade(self._queue[:_FADE], self._queue[samples : samples + _FADE])
        self._queue[: samples + _FADE] = faded

    # --- gaps ---

    def _ready(self) -> bool:
        """There is enough to begin with: the target's worth, or what came in that time, or what is late already.

        After a gap that may have been a stall, more of its burst may be on its way: only time tells.
        """
        if self._first_came is None:
            return False
        target = self._target.samples
        if self._pulled - self._first_came >= target:
            return True
        if self._target.undecided:
            return False
        return len(self._queue) >= target or (self._heard and self._excess() >= 0)

    def _begin(self) -> None:
        over = len(self._queue) - self._target.samples
        gap = self._gap
        if over > self._most or (over > 0 and gap is not None and gap.stalled and gap.samples > self._most):
            # So long a stall is heard as one anyhow: the room is to be heard now, not then.
            del self._queue[:over]
            self.dropped_samples += over
        into = self._queue[:_FADE]
        self._queue[: len(into)] = timescale.cross_fade(self._filling(len(into)), into)
        self._concealment = self._first_came = None
        self._playing = self._heard = True
        self._right_at = None
        self._control.begun(self._pulled)

    def _joined(self, samples: array[int]) -> bytes:
        """The first `samples` after a splice: what the queue would go on like fades into them; else `_begin` does."""
        self._spliced = False
        if self._playing or self._queue:
            into = samples[:_FADE]
            before = Concealment((self._played.history() + self._queue)[-HISTORY:])
            samples[: len(into)] = timescale.cross_fade(before.take(len(into)), into)
        return samples.tobytes()

    def _run_dry(self, last: array[int]) -> None:
        self._playing = False
        self._gap = None if self._spliced else _Gap(self._target.pauses)
        self._concealment = Concealment((self._played.history() + last)[-HISTORY:])

    def _fill(self, samples: int) -> array[int]:
        if self._gap is not None:
            self._gap.samples += samples
            if self._gap.stalled:
                self.concealed_samples += samples
        return self._filling(samples)

    def _filling(self, samples: int) -> array[int]:
        if self._concealment is None or self._concealment.silent:
            return array("h", bytes(2 * samples))
        return self._concealment.take(samples)

    def _account_for_gap(self, gap: _Gap) -> None:
        """Once it is known what it was: of a room at rest nothing was missing."""
        if gap.stalled or self._target.undecided:
            return
        if self._target.pauses > gap.pauses:
            self._gap = None
            return
        gap.stalled = True
        self.underruns += 1
        self.concealed_samples += gap.samples
