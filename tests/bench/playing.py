"""One player on one trace: fed and pulled as the daemon does it, in simulated time, into a simulated loudspeaker.

What pulls is the daemon's own `Speaker`; only the receiver thread's loop around it is played here (`play`): it wakes
with every arrival and at the speaker's deadlines, takes what has come in, and feeds the speaker. It is late only where
the trace says so.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import repeat
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ingestd.audio.ports import Negotiated
from ingestd.core.playout import Playout
from ingestd.threads.mailbox import Mailbox
from ingestd.threads.speaker import LONGEST_WAIT_S, Speaker
from tests.bench.arrivals import Trace
from tests.bench.players import Player
from tests.rig.wav import RATE, Pcm

_BUFFER_SAMPLES = 3200
_PERIOD_SAMPLES = 80
_SAME_S = 1e-6
"""What arrives when the wait ends, arrives in time: the kernel's timers are late, never early."""
_AFTERWARDS_S = 3.0
"""How long it goes on after the last frame, so that all that is queued gets played."""


class SimulatedSink:
    """A loudspeaker whose time is `now_s`, with an exact clock; keeps all it played since time 0 (`ports.Sink`)."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.underruns = 0
        self._written: list[bytes] = []
        self._end = 0

    def open(self) -> Negotiated:
        """See `ports.Sink`."""
        return Negotiated("simulated", _PERIOD_SAMPLES, _BUFFER_SAMPLES)

    def queued(self) -> int:
        """See `ports.Sink`."""
        return max(0, self._end - self._position())

    def write(self, pcm: bytes) -> int:
        """See `ports.Sink`."""
        dry = self._position() - self._end
        if dry > 0:
            self.underruns += 1 if self._end else 0
            self._written.append(bytes(2 * dry))
            self._end += dry
        taken = min(len(pcm) // 2, _BUFFER_SAMPLES - self.queued())
        self._written.append(pcm[: 2 * taken])
        self._end += taken
        return taken

    def close(self) -> None:
        """See `ports.Sink`."""

    @property
    def end(self) -> int:
        """Where in what is played the next sample that is written will be."""
        return max(self._end, self._position())

    def played(self) -> Pcm:
        """All of it; sample n is heard at n / 8000 s."""
        return np.frombuffer(b"".join(self._written), dtype="<i2").astype(np.int16)

    def _position(self) -> int:
        return int(self.now_s * RATE + 1e-6)


@dataclass(frozen=True)
class Counts:
    """What a player says of itself."""

    underruns: int
    concealed_ms: float
    dropped_ms: float
    accelerated: int
    expanded: int


@dataclass(frozen=True)
class Performance:
    """What came of it."""

    played: Pcm
    """Sample n is heard at n / 8000 s."""
    pull_s: NDArray[np.float64]
    """When the player was pulled,"""
    pull_at: NDArray[np.int64]
    """where the first sample of each pull is in `played`,"""
    target_ms: NDArray[np.float64]
    """the player's target then,"""
    device_ms: NDArray[np.float64]
    """and what the device had queued before it."""
    counts: Counts
    """At the last arrival: that the sound then ends is no fault."""
    device_underruns: int


class _Watched:
    """Hands a player's pulls on, and notes them."""

    def __init__(self, player: Player, sink: SimulatedSink) -> None:
        self._player = player
        self._sink = sink
        self.pulls: list[tuple[float, int, float, float]] = []

    def pull(self, samples: int) -> bytes:
        """See `Player`."""
        queued_ms = self._sink.queued() * 1000 / RATE
        self.pulls.append((self._sink.now_s, self._sink.end, self._player.target_ms, queued_ms))
        return self._player.pull(samples)

    def starved(self, samples: int) -> None:
        """See `Player`."""
        self._player.starved(samples)

    def clear(self) -> None:
        """See `Player`."""
        self._player.clear()


def play(make_player: Callable[[], Player], trace: Trace) -> Performance:
    """Plays the whole trace."""
    player, sink = make_player(), SimulatedSink()
    watched = _Watched(player, sink)
    with contextlib.closing(Mailbox()) as mailbox:
        # Nothing else does the speaker ask of its playout: any player will do.
        speaker = Speaker(sink, cast(Playout, watched), mailbox)
        arrivals_s = [*trace.arrivals_s.tolist(), float("inf")]
        end_s = arrivals_s[-2] + _AFTERWARDS_S
        arrived = 0
        due_s = 0.0
        lateness_s = trace.oversleeping.lateness_s() if trace.oversleeping else repeat(0.0)
        while sink.now_s < end_s:
            wait_s = min(max(0.0, due_s - sink.now_s), LONGEST_WAIT_S)
            sink.now_s = max(sink.now_s, min(arrivals_s[arrived], sink.now_s + wait_s)) + next(lateness_s)
            if arrivals_s[arrived] <= sink.now_s + _SAME_S:
                speaker.catch_up(sink.now_s)
            while arrivals_s[arrived] <= sink.now_s + _SAME_S:
                player.push(trace.material.frame(arrived))
                arrived += 1
            due_s = speaker.feed(sink.now_s)
            if sink.now_s <= arrivals_s[-2]:
                counts = _counts(player)
    pull_s, pull_at, target_ms, device_ms = (np.array(column) for column in zip(*watched.pulls, strict=True))
    return Performance(sink.played(), pull_s, pull_at, target_ms, device_ms, counts, sink.underruns)


def _counts(player: Player) -> Counts:
    per_ms = RATE / 1000
    concealed_ms, dropped_ms = player.concealed_samples / per_ms, player.dropped_samples / per_ms
    return Counts(player.underruns, concealed_ms, dropped_ms, player.accelerated, player.expanded)
