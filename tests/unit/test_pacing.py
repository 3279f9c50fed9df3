"""The sender's grid, in simulated time: what goes out is what was captured, at the card's own pace."""

from __future__ import annotations

import numpy as np
import pytest

from ingestd.core.pacing import Do, Pacer, guard_s
from ingestd.core.sampleclock import SampleClock, SampleTime
from ingestd.core.wire import FRAME_S, FRAME_SAMPLES, SAMPLE_RATE_HZ
from tests.rig.figures import Figures
from tests.rig.simulated_uplink import Uplink, first_number, stamped

pytestmark = pytest.mark.undisturbed

HOUR_S = 3600.0


@pytest.mark.parametrize("ppm", [-1000, -100, 0, 100, 1000])
def test_an_hour_at_any_crystal_error_is_bit_exact(ppm: int, figures: Figures) -> None:
    uplink = Uplink(ppm=ppm, seed=7)
    uplink.run(HOUR_S)
    captured = uplink.ring.written // FRAME_SAMPLES
    assert captured > 179_800
    lost = captured - len(uplink.frames)
    # The last frame or two may still be waiting for their time when the hour ends.
    assert 0 <= lost <= 2
    assert uplink.pacer.dropped_frames == 0
    wrong = sum(frame != stamped(n * FRAME_SAMPLES, FRAME_SAMPLES) for n, frame in enumerate(uplink.frames))
    assert wrong == 0
    # The first seconds, in which the loop still learns the rate, are part of the hour.
    true_period_s = FRAME_SAMPLES / (SAMPLE_RATE_HZ * (1 + ppm * 1e-6))
    error_ppm = (uplink.period_s / true_period_s - 1.0) * 1e6
    name = f"uplink_simulated_{'minus' if ppm < 0 else 'plus'}_{abs(ppm)}ppm"
    figures.add(f"{name}_frames", float(len(uplink.frames)), min=captured - 2)
    figures.add(f"{name}_frames_wrong", float(wrong), max=0)
    figures.add(f"{name}_period_error_ppm", abs(error_ppm), max=5)
    latency_ms = uplink.latency_ms
    figures.add(f"{name}_latency_p50_ms", float(np.percentile(latency_ms, 50)))
    figures.add(f"{name}_latency_p99_ms", float(np.percentile(latency_ms, 99)))
    assert abs(error_ppm) <= 5


@pytest.mark.parametrize("period", [40, 80, 128, 160, 320, 441, 512])
def test_any_period_of_the_device_is_bit_exact(period: int) -> None:
    uplink = Uplink(ppm=150, seed=3, period_samples=period)
    uplink.run(120)
    assert uplink.pacer.dropped_frames == 0
    # The first read of a large period brings several frames, of which the newest is the first to go out.
    first = first_number(uplink.frames[0] or b"")
    assert first <= period
    assert uplink.frames == [stamped(first + n * FRAME_SAMPLES, FRAME_SAMPLES) for n in range(len(uplink.frames))]
    assert len(uplink.frames) >= 120 * 50 - 10
    assert np.diff(uplink.sent_s).max() < 0.02 + period / SAMPLE_RATE_HZ + 0.06


def test_after_a_stall_of_the_link_only_the_newest_two_frames_go_out() -> None:
    def open_link(now: float) -> bool:
        return not 1010.0 <= now < 1013.0

    uplink = Uplink(ppm=0, seed=1, open_link=open_link)
    uplink.run(20)
    after = int(np.searchsorted(uplink.sent_s, 1013.0))
    ages_s = np.array(uplink.sent_s[after : after + 50]) - np.array(uplink.ready_s[after : after + 50])
    assert ages_s.max() < 0.06
    assert uplink.sent_s[after] - 1013.0 < 0.05
    # 3 s are 150 frames; what was in time before the stall counts as sent, the two newest at its end are kept.
    assert 145 <= uplink.pacer.dropped_frames <= 150
    assert np.all(np.diff(uplink.ready_s) > 0)


@pytest.mark.parametrize("away_s", [0.0, 0.1, 0.5, 5.0])
def test_how_late_a_frame_goes_out_is_its_own_lateness_whatever_was_dropped_before_it(away_s: float) -> None:
    pacer = Pacer()
    now = 1.0
    late_s = []
    for number in range(50):
        now += away_s if number == 25 else 0.0
        while (step := pacer.step(now, clock_at(now), int(now * SAMPLE_RATE_HZ), False)).do is Do.SLEEP:
            now = step.until_s
        due_s = clock_at(now).time_of(step.sample + FRAME_SAMPLES) + pacer.guard_s
        late_s.append(pacer.late_s - (now - due_s))
        pacer.sent(now, step.do)
    assert late_s == pytest.approx([0.0] * 50, abs=1e-6)


def clock_at(now: float) -> SampleTime:
    """Of a card that has counted since second 0."""
    return SampleTime(1, int(now * SAMPLE_RATE_HZ), int(now * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ, 1 / SAMPLE_RATE_HZ)


def test_a_stall_shorter_than_the_bound_loses_nothing() -> None:
    def open_link(now: float) -> bool:
        return not 1010.0 <= now < 1010.15

    uplink = Uplink(ppm=0, seed=1, open_link=open_link)
    uplink.run(20)
    assert uplink.pacer.dropped_frames == 0
    assert uplink.frames == [stamped(n * FRAME_SAMPLES, FRAME_SAMPLES) for n in range(len(uplink.frames))]


def test_late_frames_go_out_in_pairs_not_in_one_burst() -> None:
    def open_link(now: float) -> bool:
        return not 1010.0 <= now < 1010.15

    uplink = Uplink(ppm=0, seed=1, open_link=open_link)
    uplink.run(20)
    sent_s = np.array(uplink.sent_s)
    assert (sent_s[2:] - sent_s[:-2]).min() >= 0.010 - 1e-6


def test_a_lost_microphone_is_replaced_by_silence_in_cadence() -> None:
    def present(now: float) -> bool:
        return not 1010.0 <= now < 1014.0

    uplink = Uplink(ppm=0, seed=5, present=present)
    uplink.run(20)
    silent = [n for n, frame in enumerate(uplink.frames) if frame is None and uplink.sent_s[n] > 1005]
    assert len(silent) == pytest.approx(200, abs=3)
    gaps_s = np.diff(uplink.sent_s)
    assert gaps_s[np.array(uplink.sent_s[:-1]) > 1005].max() < 0.06
    assert uplink.pacer.dropped_frames == 0


def test_a_microphone_that_goes_while_the_link_stands_still_leaves_nothing_old_behind() -> None:
    uplink = Uplink(
        ppm=0,
        seed=2,
        open_link=lambda now: not 1010.0 <= now < 1015.0,
        present=lambda now: not 1011.0 <= now < 1018.0,
    )
    uplink.run(20)
    sent_s, ready_s = np.array(uplink.sent_s), np.array(uplink.ready_s)
    assert np.all(np.isnan(ready_s[(sent_s >= 1015.0) & (sent_s < 1018.0)])), "silence alone"
    assert 48 <= uplink.pacer.dropped_frames <= 50, "and what was captured before is counted"


@pytest.mark.parametrize("seed", range(5))
def test_a_microphone_that_comes_and_goes_adds_no_delay_at_the_far_end(seed: int) -> None:
    uplink = Uplink(ppm=0, seed=seed, present=lambda now: now % 3.0 < 2.0)
    uplink.run(600)
    surplus_ms = [1000 * (n * FRAME_S - (now - uplink.sent_s[0])) for n, now in enumerate(uplink.sent_s)]
    assert max(surplus_ms) <= 40, "what is sent sooner than it is played waits there for ever"
    assert max(np.diff(uplink.sent_s)) < 0.09, "and nobody misses a word"


def test_overruns_over_and_over_add_no_delay_at_the_far_end() -> None:
    pacer, clock = Pacer(), SampleClock(SAMPLE_RATE_HZ)
    written = sent = 0
    card_s = 0.0
    now = start_s = 100.0
    for number in range(1, 5001):
        # Every tenth read the stream breaks: its frame is padded, and it goes on where it was.
        if number % 10 == 0:
            written += -(written + 40) % FRAME_SAMPLES + 40
            clock.relock()
        else:
            written += FRAME_SAMPLES
        card_s += 0.02 if number % 10 else 0.005
        clock.observe(start_s + card_s, written)
        while now < start_s + card_s + 0.005:
            step = pacer.step(now, clock.now, written, lost=False)
            if step.do is Do.SLEEP:
                now = max(now + 1e-4, step.until_s)
                continue
            sent += 1
            pacer.sent(now, step.do)
    assert sent * FRAME_S - (now - start_s) <= 0.04
    assert pacer.dropped_frames > 100, "and it is counted"


def test_a_microphone_that_only_falls_silent_is_waited_for_first() -> None:
    pacer, clock = Pacer(), SampleClock(SAMPLE_RATE_HZ)
    for n in range(1, 12):
        clock.observe(100 + n * 0.02, n * FRAME_SAMPLES)
    now = 100 + 12 * 0.02
    step = pacer.step(now, clock.now, 11 * FRAME_SAMPLES, lost=False)
    assert step.do is Do.SEND
    pacer.sent(now, step.do)
    due = 100 + 12 * 0.02 + 0.002
    assert pacer.step(due + 0.150, clock.now, 11 * FRAME_SAMPLES, lost=False).do is Do.SLEEP
    assert pacer.step(due + 0.201, clock.now, 11 * FRAME_SAMPLES, lost=False).do is Do.SILENCE


def test_the_first_frame_is_the_newest_complete_one() -> None:
    pacer, clock = Pacer(), SampleClock(SAMPLE_RATE_HZ)
    for n in range(1, 51):
        clock.observe(100 + n * 0.02, n * FRAME_SAMPLES)
    step = pacer.step(101.003, clock.now, 50 * FRAME_SAMPLES + 37, lost=False)
    assert (step.do, step.sample) == (Do.SEND, 49 * FRAME_SAMPLES)


def test_an_early_tick_waits_for_its_frame_and_the_grid_stays() -> None:
    pacer, clock = Pacer(), SampleClock(SAMPLE_RATE_HZ)
    for n in range(1, 12):
        clock.observe(100 + n * 0.02, n * FRAME_SAMPLES)
    first = pacer.step(100.222, clock.now, 11 * FRAME_SAMPLES, lost=False)
    pacer.sent(100.222, first.do)
    waiting = pacer.step(100.2421, clock.now, 11 * FRAME_SAMPLES, lost=False)
    assert waiting.do is Do.SLEEP
    assert waiting.until_s == pytest.approx(100.2441)
    late = pacer.step(100.255, clock.now, 12 * FRAME_SAMPLES, lost=False)
    assert late.do is Do.SEND
    pacer.sent(100.255, late.do)
    following = pacer.step(100.256, clock.now, 13 * FRAME_SAMPLES, lost=False)
    assert following.until_s == pytest.approx(100.262)


def test_when_to_ask_again_is_when_the_next_frame_is_due() -> None:
    pacer, clock = Pacer(), SampleClock(SAMPLE_RATE_HZ)
    for n in range(1, 12):
        clock.observe(100 + n * 0.02, n * FRAME_SAMPLES)
    asleep_until_s = []
    for n, now in ((11, 100.2225), (12, 100.2500), (13, 100.2620)):  # on time, 8 ms late, on time
        step = pacer.step(now, clock.now, n * FRAME_SAMPLES, lost=False)
        assert (step.do, step.sample) == (Do.SEND, (n - 1) * FRAME_SAMPLES)
        again_s = pacer.sent(now, step.do)
        asleep_until_s.append(again_s)
        waiting = pacer.step(now, clock.now, (n + 1) * FRAME_SAMPLES, lost=False)
        assert waiting.do is Do.SLEEP
        assert waiting.until_s == pytest.approx(again_s), "asked at once it says the same"
    assert asleep_until_s == pytest.approx([100.242, 100.262, 100.282])
    step = pacer.step(100.315, clock.now, 14 * FRAME_SAMPLES, lost=False)
    assert pacer.sent(100.315, step.do) < 100.315, "behind: the next one may follow at once"
    step = pacer.step(100.316, clock.now, 15 * FRAME_SAMPLES, lost=False)
    assert pacer.sent(100.316, step.do) == pytest.approx(100.325), "and a third only after a while"


def test_silence_is_asked_for_again_after_a_frame() -> None:
    pacer = Pacer()
    assert pacer.step(10.0, None, 0, lost=True).do is Do.SILENCE
    again_s = pacer.sent(10.0, Do.SILENCE)
    waiting = pacer.step(10.0, None, 0, lost=True)
    assert waiting.do is Do.SLEEP
    assert waiting.until_s == pytest.approx(again_s)


def test_silence_does_not_burst_after_this_thread_was_away() -> None:
    pacer = Pacer()
    silences = 0
    now = 500.0
    while now < 501.0:
        step = pacer.step(now, None, 0, lost=True)
        if step.do is Do.SILENCE:
            silences += 1
            pacer.sent(now, step.do)
        elif step.do is Do.SLEEP:
            now = step.until_s
    assert silences == pytest.approx(50, abs=1)
    back = 600.0
    burst = 0
    while pacer.step(back, None, 0, lost=True).do is Do.SILENCE:
        pacer.sent(back, Do.SILENCE)
        burst += 1
    assert burst <= 2


@pytest.mark.parametrize(("period", "extra_ms"), [(40, 0), (80, 0), (160, 0), (128, 16), (320, 40)])
def test_the_guard_grows_where_periods_do_not_divide_a_frame(period: int, extra_ms: float) -> None:
    assert guard_s(period, SAMPLE_RATE_HZ) * 1000 == pytest.approx(2 + extra_ms)
