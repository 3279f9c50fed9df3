"""Playout where nothing comes: stalls, pauses of the room, a machine that overslept, a speaker that is away."""

from __future__ import annotations

from array import array

import numpy as np

from ingestd.core.playout import Playout
from tests.rig.speech import conversation
from tests.unit.playout_case import FRAME, MS, RATE, Run, bend, steady, tone


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


def test_a_delay_is_won_back_in_steady_noise_too() -> None:
    pcm = np.random.default_rng(2).normal(0, 1500, 40 * RATE).astype(np.int16)
    arrivals = steady(40)
    arrivals[1000:1015] = arrivals[1014]
    run = Run(pcm, arrivals)
    assert run.delays_ms[1020] > 200
    assert run.delays_ms[1300] + 20 <= run.targets_ms[1300] + 40


def test_the_head_of_a_talkspurt_that_comes_late_is_played() -> None:
    parts, arrivals, now = [], [], 0.0
    for _ in range(10):
        parts.append(tone(3.0))
        spurt = now + steady(3)
        spurt[:10] = spurt[9]
        arrivals.append(spurt)
        now += 3000 + 5000
    run = Run(np.concatenate(parts), np.concatenate(arrivals))
    assert run.playout.dropped_samples == 0


def test_an_hour_of_quiet_is_no_stall_though_this_machine_overslept() -> None:
    playout = Playout(400)
    for _ in range(100):
        playout.push(array("h", [3000] * FRAME).tobytes())
        playout.pull(FRAME)
    for _ in range(1000):
        playout.pull(FRAME)
    playout.starved(30 * MS)
    for _ in range(100):
        playout.push(array("h", [3000] * FRAME).tobytes())
        playout.pull(FRAME)
    assert (playout.underruns, playout.concealed_samples) == (0, 0)


def test_without_a_speaker_nothing_is_kept_nor_heard_later() -> None:
    playout = Playout(400)
    for _ in range(20):
        playout.push(tone(0.02).astype("<i2").tobytes())
        playout.pull(FRAME)
    for _ in range(100):
        playout.push(tone(0.02).astype("<i2").tobytes())
        playout.discard()
    assert playout.delay_ms == 0
    assert playout.pull(800) == bytes(1600)


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
