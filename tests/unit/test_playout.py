"""Playout from outside: what it plays of what came when, how late, how whole, and that it accounts for all of it."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ingestd.core.playout import Playout
from tests.rig.speech import conversation
from tests.rig.wav import Pcm

RATE = 8000
MS = 8
FRAME = 160


class Run:
    """Pulls a frame every 20 ms; what has arrived by then is pushed before."""

    def __init__(self, pcm: Pcm, arrivals_ms: Iterable[float], max_delay_ms: int = 400) -> None:
        self.playout = Playout(max_delay_ms)
        self.delays_ms: list[float] = []
        self.targets_ms: list[float] = []
        played: list[bytes] = []
        arrivals = list(arrivals_ms)
        number = 0
        for now_ms in range(0, round(arrivals[-1]) + 1000, 20):
            while number < len(arrivals) and arrivals[number] <= now_ms:
                self.playout.push(pcm[number * FRAME : (number + 1) * FRAME].astype("<i2").tobytes())
                number += 1
            played.append(self.playout.pull(FRAME))
            self.delays_ms.append(self.playout.delay_ms)
            self.targets_ms.append(self.playout.target_ms)
        self.played: Pcm = np.frombuffer(b"".join(played), "<i2").astype(np.int16)


def tone(seconds: float, hz: float = 200.0, level: float = 8000.0) -> Pcm:
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)).astype(np.int16)


def steady(seconds: float, start_ms: float = 0.0) -> NDArray[np.float64]:
    return np.arange(round(seconds * 50)) * 20.0 + np.float64(start_ms)


def bend(pcm: Pcm) -> int:
    """The sharpest bend: what a click has and a voice has not."""
    return int(np.max(np.abs(np.diff(pcm.astype(np.int64), 2))))


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


def test_a_stall_is_concealed_once_and_then_goes_on() -> None:
    pcm = tone(40)
    arrivals = steady(40)
    arrivals[1500:1510] = arrivals[1509]  # 180 ms, and then a burst
    run = Run(pcm, arrivals)
    assert run.playout.underruns == 1
    assert 80 * MS <= run.playout.concealed_samples <= 200 * MS
    assert run.playout.dropped_samples == 0, "all of it is played, a little later"
    assert bend(run.played) <= 2 * bend(pcm), "no click"
    assert run.delays_ms[1530] > 100
    assert run.delays_ms[1620] <= run.targets_ms[1620] + 40, "the delay is won back within the tone"
    assert run.playout.accelerated > 0
    assert run.playout.shortened_samples >= 100 * MS


def test_after_a_stall_of_two_seconds_the_room_is_heard_now() -> None:
    pcm, _ = conversation(30.0)
    for first in range(500, 700, 7):
        arrivals = steady(30)
        arrivals[first : first + 100] = arrivals[first + 99]
        run = Run(pcm, arrivals)
        back = first + 100
        far = [n for n in range(back, 1400) if abs(run.delays_ms[n] + 20 - run.targets_ms[n]) > 40]
        assert not far or far[-1] - back <= 100, "back at the target within 2 s"
        assert run.playout.dropped_samples >= 1.4 * RATE
        assert run.playout.underruns == 1


def test_a_burst_that_comes_in_two_pieces_is_caught_up_with_too() -> None:
    pcm = tone(20)
    arrivals = steady(20)
    arrivals[300:330] = arrivals[399]
    arrivals[330:400] = arrivals[399] + 60
    run = Run(pcm, np.maximum.accumulate(arrivals))
    assert max(run.delays_ms) < 2200
    after = zip(run.delays_ms[503:], run.targets_ms[503:], strict=True)
    assert all(delay + 20 <= target + 40 for delay, target in after), "2 s later"
    assert bend(run.played) <= 2 * bend(pcm)


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


def test_a_room_that_sends_nothing_while_it_is_quiet_is_not_late() -> None:
    parts, arrivals, now = [], [], 0.0
    for number in range(10):
        parts.append(tone(2.0, 150 + 10 * number))
        arrivals.append(now + steady(2))
        now += 2000 + 700 + 37 * number
    pcm = np.concatenate(parts)
    run = Run(pcm, np.concatenate(arrivals))
    assert run.targets_ms[-60] == 40
    assert run.playout.underruns == run.playout.concealed_samples == run.playout.dropped_samples == 0
    assert bend(run.played) <= 2 * bend(pcm), "each end fades"
    assert max(run.delays_ms) <= 100


def test_a_speaker_that_starved_is_no_jitter_of_the_network() -> None:
    playout = Playout(400)
    pcm = tone(60).astype("<i2").tobytes()
    played = b""
    number = 0
    while number < 2900:
        stalled = 15 if number % 500 == 400 else 1  # this machine did nothing for 300 ms
        if stalled > 1:
            playout.starved(stalled * FRAME - 400)
            played += bytes(2 * (stalled * FRAME - 400))
        for _ in range(stalled):
            playout.push(pcm[number * 320 : (number + 1) * 320])
            number += 1
        played += playout.pull(FRAME if stalled == 1 else 400)
        assert playout.target_ms <= 80
    assert playout.target_ms == 40
    assert playout.delay_ms <= 80, "and what was queued meanwhile is caught up with"
    assert playout.underruns == 0


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
