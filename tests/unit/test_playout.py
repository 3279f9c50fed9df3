"""Playout from outside: what it plays of what came when, how late, how whole, and that it accounts for all of it."""

from __future__ import annotations

from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.core.playout import Playout
from tests.rig.speech import conversation
from tests.unit.playout_case import FRAME, MS, RATE, Run, bend, steady, tone


def test_a_steady_stream_is_played_whole_40_ms_late() -> None:
    pcm, _ = conversation(20.0)
    run = Run(pcm, steady(20))
    assert run.playout.underruns == run.playout.dropped_samples == run.playout.concealed_samples == 0
    assert run.delays_ms[500] == pytest.approx(40 - 20, abs=10), "after a pull: the target less a frame"
    late = run.playout.delay_ms
    assert late == 0, "all of it was played"
    # The same samples, but for the one shortening of the first pause from the cautious beginning.
    end = pcm[10 * RATE : 15 * RATE]
    lag = [n for n in range(0, 200 * MS, 1) if np.array_equal(run.played[10 * RATE + n : 15 * RATE + n], end)]
    assert len(lag) == 1
    assert lag[0] <= 60 * MS


def test_silence_until_something_comes_and_a_fade_into_it() -> None:
    playout = Playout(400)
    assert playout.pull(400) == bytes(800)
    for _ in range(5):
        playout.push(array("h", [5000] * FRAME).tobytes())
    played = np.frombuffer(playout.pull(400), "<i2")
    assert np.max(np.abs(np.diff(played.astype(int)))) <= 70
    assert played[-1] == 5000
    assert playout.underruns == 0


def test_it_begins_with_the_target_or_what_came_in_that_time() -> None:
    playout = Playout(400)
    playout.push(b"\x01\x00" * FRAME)
    for _ in range(3):
        assert playout.pull(FRAME) == bytes(320)
    assert playout.pull(FRAME) != bytes(320), "80 ms after it began nothing more has come, and that is played"


@pytest.mark.parametrize("ppm", [-200.0, 200.0])
def test_another_clock_does_not_add_delay(ppm: float) -> None:
    pcm, _ = conversation(60.0)
    pcm = np.tile(pcm, 10)
    run = Run(pcm, np.arange(len(pcm) // FRAME) * 20.0 * (1 - ppm * 1e-6))
    tail = run.delays_ms[250:-100]
    assert max(tail) <= 65
    assert run.playout.underruns <= 1
    assert run.playout.dropped_samples == 0
    moved = run.playout.shortened_samples if ppm > 0 else run.playout.lengthened_samples
    assert moved == pytest.approx(600 * RATE * 200e-6, rel=0.5, abs=50 * MS)


def test_jitter_raises_the_target_and_is_then_covered() -> None:
    pcm, _ = conversation(60.0)
    random = np.random.default_rng(3)
    late = np.where(random.random(3000) < 0.05, random.uniform(50, 120, 3000), random.uniform(0, 10, 3000))
    run = Run(pcm, np.maximum.accumulate(steady(60) + late))
    assert 100 <= run.targets_ms[-60] <= 160
    first = Run(pcm[: 5 * RATE], np.maximum.accumulate(steady(60) + late)[:250])
    assert run.playout.underruns - first.playout.underruns <= 2
    assert run.playout.expanded > 0
    assert run.playout.dropped_samples == 0


@pytest.mark.parametrize("ppm", [-200.0, 200.0])
@pytest.mark.parametrize("kind", ["tone", "noise"])
def test_another_clock_costs_nothing_where_there_are_no_pauses(ppm: float, kind: str) -> None:
    if kind == "tone":
        pcm = np.tile(tone(1.0, 220.0, 6000.0), 600)
    else:
        pcm = np.random.default_rng(1).normal(0, 3000, 600 * RATE).astype(np.int16)
    run = Run(pcm, np.arange(len(pcm) // FRAME) * 20.0 * (1 - ppm * 1e-6), every_ms=5)
    assert run.playout.underruns == 0
    assert max(run.delays_ms[1000:]) <= 90


@pytest.mark.parametrize("frame_ms", [10, 40, 100, 200])
def test_frames_of_any_length_are_played_whole(frame_ms: int) -> None:
    playout = Playout(400)
    length = frame_ms * MS
    for number in range(60_000 // frame_ms):
        playout.push(array("h", [1000 + number % 100] * length).tobytes())
        for _ in range(frame_ms // 10):
            playout.pull(80)
    assert playout.underruns <= 1, "until its length is known"
    assert playout.delay_ms <= 2 * frame_ms + 40


@pytest.mark.parametrize("max_delay_ms", [40, 100, 400])
def test_what_is_held_back_is_bounded(max_delay_ms: int) -> None:
    playout = Playout(max_delay_ms)
    for number in range(2000):
        playout.push(bytes([number % 256, 0]) * FRAME)
        assert playout.delay_ms <= 3 * max_delay_ms + 40
    assert playout.dropped_samples >= (2000 - 70) * FRAME
    for _ in range(10):
        playout.pull(FRAME)
    assert playout.delay_ms <= 2 * max_delay_ms + 20


def test_a_new_connection_starts_afresh_without_a_click() -> None:
    playout = Playout(400)
    pcm = tone(1).astype("<i2").tobytes()
    played = b""
    for start in range(0, 6400, 320):
        playout.push(pcm[start : start + 320])
        played += playout.pull(FRAME)
    playout.clear()
    assert playout.delay_ms == 0
    played += playout.pull(4 * FRAME) + playout.pull(4 * FRAME)
    assert bend(np.frombuffer(played, "<i2")[800:]) <= 2 * bend(tone(1))
    assert played[-320:] == bytes(320)
    assert playout.underruns == 0, "nobody stalled"
    playout.push(pcm[:320])
    assert playout.pull(FRAME) == bytes(320), "what comes is waited for again"


def test_cleared_over_and_over_it_keeps_nothing() -> None:
    playout = Playout(400)
    for _ in range(1000):
        playout.push(bytes(320))
        playout.clear()
    assert playout.delay_ms == 0
    assert playout.dropped_samples == 1000 * FRAME


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4000)), max_size=80), st.integers(40, 400), st.integers())
def test_any_sequence_gives_all_that_was_asked_for_and_accounts_for_every_sample(
    steps: list[tuple[bool, int]], max_ms: int, seed: int
) -> None:
    playout = Playout(max_ms)
    random = np.random.default_rng(abs(seed))
    pushed = pulled = filled = 0
    for is_push, samples in steps:
        if is_push:
            playout.push(random.integers(-32768, 32767, samples).astype("<i2").tobytes())
            pushed += samples
        else:
            before = round(playout.delay_ms * MS)
            counted = playout.dropped_samples + playout.shortened_samples - playout.lengthened_samples
            assert len(playout.pull(samples)) == 2 * samples
            pulled += samples
            taken = before - round(playout.delay_ms * MS)
            taken -= playout.dropped_samples + playout.shortened_samples - playout.lengthened_samples - counted
            assert 0 <= taken <= samples
            filled += samples - taken
        assert playout.delay_ms <= 3 * max_ms + 500 + 1
    kept = round(playout.delay_ms * MS)
    assert pushed + playout.lengthened_samples - playout.shortened_samples - playout.dropped_samples == (
        pulled - filled + kept
    )
    assert playout.concealed_samples <= filled


class Asked(Playout):
    """Tells its target of each arrival at once."""

    def push(self, pcm: bytes) -> None:
        self._target.calm_until = 0
        super().push(pcm)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_counted_later_changes_nothing_that_is_played(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pcm = rng.integers(-8000, 8000, FRAME).astype("<i2").tobytes()
    usual, asked = Playout(400), Asked(400)
    for _ in range(3000):
        # Mostly a frame each time; now and then a gap, then one frame or all that is missing.
        kind = rng.choice(4, p=(0.9, 0.06, 0.02, 0.02))
        pulls, pushes = ((1, 1), (2, 0), (int(rng.integers(3, 15)), 1), (int(rng.integers(3, 15)), 8))[kind]
        for _ in range(pulls):
            assert usual.pull(FRAME) == asked.pull(FRAME)
        for _ in range(pushes):
            usual.push(pcm)
            asked.push(pcm)
        assert usual.target_ms == asked.target_ms
        assert usual.underruns == asked.underruns
        assert usual.concealed_samples == asked.concealed_samples
