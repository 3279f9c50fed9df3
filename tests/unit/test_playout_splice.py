"""Playout where the room goes on by another connection, sooner or later than before: nobody is to hear it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from ingestd.core.playout import Playout
from tests.bench.clicks import clicks
from tests.rig.speech import conversation
from tests.rig.wav import Pcm
from tests.unit.playout_case import FRAME, MS, RATE, bend, tone

SHIFTS_MS = [0.0, 15.0, -15.0, 30.0, 60.0]
"""How much later than by the first connection everything comes by the second."""


@dataclass(frozen=True)
class Path:
    """A connection that has the room's frames, each `late_ms` after it was said, for as long as it carries."""

    late_ms: float
    until_ms: float


class Spliced:
    """One playout that is fed by one path after the other; of the others it gets nothing."""

    def __init__(
        self,
        pcm: Pcm,
        paths: Sequence[Path],
        again: bool = True,
        every_ms: int = 10,
        jitter: NDArray[np.float64] | None = None,
    ) -> None:
        """Of a path that takes over comes what it brings from then on, or without `again` what is still missing."""
        self.playout = Playout(400)
        self.delays_ms: list[float] = []
        self.targets_ms: list[float] = []
        self.every_ms = every_ms
        played: list[bytes] = []
        pushed = 0
        frames = len(pcm) // FRAME
        extra = np.zeros(frames) if jitter is None else jitter[:frames]
        came = [np.maximum.accumulate(np.arange(1, frames + 1) * 20.0 + path.late_ms + extra) for path in paths]
        using, number = 0, 0
        for now_ms in range(0, frames * 20, every_ms):
            if now_ms >= paths[using].until_ms and using + 1 < len(paths):
                using += 1
                self.playout.splice()
                if again:
                    number = int(np.searchsorted(came[using], now_ms - every_ms, side="right"))
            while number < frames and came[using][number] <= now_ms:
                self.playout.push(pcm[number * FRAME : (number + 1) * FRAME].astype("<i2").tobytes())
                number += 1
                pushed += FRAME
            played.append(self.playout.pull(every_ms * MS))
            self.delays_ms.append(self.playout.delay_ms)
            self.targets_ms.append(self.playout.target_ms)
        self.played: Pcm = np.frombuffer(b"".join(played), "<i2").astype(np.int16)
        own = self.playout
        stretched = own.lengthened_samples - own.shortened_samples - own.dropped_samples
        self.filled_ms = (len(self.played) - (pushed + stretched) + own.delay_ms * MS) / MS
        """Made up, or silence, where nothing was there to be played; the beginning too."""

    def delays_after(self, ms: float) -> NDArray[np.float64]:
        """What was queued from then on."""
        return np.array(self.delays_ms[round(ms / self.every_ms) :])

    def misses_after(self, ms: float) -> NDArray[np.float64]:
        """By how much the delay missed the target from then on, as it is in the middle of a frame."""
        return np.subtract(self.delays_after(ms) + 10, self.targets_ms[round(ms / self.every_ms) :])


def unspliced(pcm: Pcm) -> Spliced:
    return Spliced(pcm, [Path(30.0, np.inf)])


@pytest.mark.parametrize("shift_ms", SHIFTS_MS)
@pytest.mark.parametrize("at_ms", [10_000, 10_007, 10_013])
def test_a_tone_goes_on_without_a_click_and_without_a_gap(shift_ms: float, at_ms: int) -> None:
    pcm = tone(20.0, 211.0)
    run = Spliced(pcm, [Path(30.0, at_ms), Path(30.0 + shift_ms, np.inf)])
    assert bend(run.played[RATE:]) <= 2.2 * bend(pcm), "of two tones that are opposed the fade itself has an edge"
    assert run.filled_ms == unspliced(pcm).filled_ms
    assert run.playout.dropped_samples == run.playout.concealed_samples == run.playout.underruns == 0


@pytest.mark.parametrize("again", [True, False])
@pytest.mark.parametrize("shift_ms", SHIFTS_MS)
def test_the_other_offset_is_no_jitter_and_the_delay_comes_back(shift_ms: float, again: bool) -> None:
    pcm, _ = conversation(30.0)
    before = unspliced(pcm).filled_ms
    for at_ms in range(10_000, 12_000, 97):
        run = Spliced(pcm, [Path(30.0, at_ms), Path(30.0 + shift_ms, np.inf)], again)
        assert max(run.targets_ms[at_ms // 10 - 10 :]) == 40
        gap_ms = 0 if again else max(0, 10 * np.ceil(shift_ms / 10))
        assert run.filled_ms - before <= gap_ms, "the shift at most, in whole pulls"
        assert run.playout.underruns == run.playout.concealed_samples == run.playout.dropped_samples == 0
        assert max(run.delays_after(at_ms)) <= 65
        assert np.max(np.abs(run.misses_after(at_ms + 2000))) <= 30
        assert clicks(run.played, pcm) == []


def test_a_hundred_times_over_the_delay_stays_what_it_was() -> None:
    pcm = np.tile(conversation(30.0)[0], 3)
    random = np.random.default_rng(5)
    ends = np.cumsum(random.uniform(400, 1200, 100))
    paths = [Path(late, end) for late, end in zip(random.uniform(10, 100, 100), ends, strict=True)]
    run = Spliced(pcm, [*paths, Path(30.0, np.inf)])
    assert max(run.delays_ms) <= 80
    assert run.playout.dropped_samples == 0
    assert run.filled_ms - unspliced(pcm).filled_ms <= 20 * len(paths), "a frame each at most"
    assert np.max(np.abs(run.misses_after(ends[-1] + 2000))) <= 30


def test_what_is_known_of_the_network_stays_known() -> None:
    pcm = np.tile(conversation(60.0)[0], 2)
    random = np.random.default_rng(3)
    jitter = np.where(random.random(6000) < 0.05, random.uniform(50, 120, 6000), random.uniform(0, 10, 6000))
    run = Spliced(pcm, [Path(30.0, 60_000), Path(45.0, np.inf)], jitter=jitter)
    before, after = run.targets_ms[5900:6000], run.targets_ms[6000:6200]
    assert min(after) >= min(before) - 10 >= 80
    assert max(after) <= max(before) + 20


def test_a_room_at_rest_when_the_other_takes_over_has_not_stalled() -> None:
    playout = Playout(400)
    voice = tone(0.02).astype("<i2").tobytes()
    for splice_at in (30, 45, 300):  # while the end is still queued, while it fades, and long after
        for turn in range(400):
            if turn < 30 or turn >= 350:
                playout.push(voice)
            if turn == splice_at:
                playout.splice()
            playout.pull(FRAME)
        assert (playout.underruns, playout.concealed_samples, playout.target_ms) == (0, 0, 40)


def test_before_anything_came_it_changes_nothing() -> None:
    spliced, plain = Playout(400), Playout(400)
    voice = tone(1.0).astype("<i2").tobytes()
    spliced.splice()
    for start in range(0, len(voice), 320):
        for playout in (spliced, plain):
            playout.push(voice[start : start + 320])
        assert spliced.pull(FRAME) == plain.pull(FRAME)


@pytest.mark.parametrize("samples", [0, 1, 79, 80, 81, 4000])
def test_what_comes_first_may_be_of_any_length(samples: int) -> None:
    playout = Playout(400)
    for _ in range(10):
        playout.push(bytes(320))
        playout.pull(FRAME)
    playout.splice()
    before = playout.delay_ms
    playout.push(tone(1.0)[:samples].astype("<i2").tobytes())
    playout.push(tone(1.0)[samples : samples + FRAME].astype("<i2").tobytes())
    assert playout.delay_ms == before + (samples + FRAME) / MS
