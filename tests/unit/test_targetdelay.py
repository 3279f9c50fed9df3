"""The target follows jitter, covers 95 % of it by half second, forgets, and takes no pause for lateness."""

from __future__ import annotations

import numpy as np
import pytest

from ingestd.core.targetdelay import FIRST_DELAY, LEAST_DELAY, TargetDelay

MS = 8
FRAME = 160
MOST = 400 * MS


def run(target: TargetDelay, lateness: list[float], start: int = 0) -> None:
    """Frame `start + k` comes `lateness[k]` milliseconds late, in order."""
    latest = -(10**12)
    for number, late in enumerate(lateness, start=start + 1):
        latest = max(latest, number * FRAME + round(late * MS))
        target.arrived(number * FRAME, latest)


def seconds(duration: float) -> int:
    return round(duration * 50)


def test_it_begins_cautiously_and_comes_down_on_a_steady_network() -> None:
    target = TargetDelay(MOST)
    assert target.samples == FIRST_DELAY
    run(target, [0.0] * seconds(1))
    assert target.samples == LEAST_DELAY
    assert TargetDelay(LEAST_DELAY).samples == LEAST_DELAY, "never over what is allowed"


def test_where_the_clock_of_arrivals_begins_does_not_matter() -> None:
    for offset in (-1e6, 0.0, 1e6):
        target = TargetDelay(MOST)
        run(target, [offset] * seconds(1))
        assert target.samples == LEAST_DELAY


@pytest.mark.parametrize("late_ms", [30.0, 100.0, 250.0])
def test_it_covers_what_comes_late_every_second(late_ms: float) -> None:
    target = TargetDelay(MOST)
    run(target, ([0.0] * 49 + [late_ms]) * 20)
    assert late_ms * MS <= target.samples <= (late_ms + 25) * MS


def test_it_covers_95_percent_of_half_seconds() -> None:
    random = np.random.default_rng(1)
    late: list[float] = []
    for _ in range(400):
        late += [0.0] * 24 + [float(random.uniform(0, 200))]
    target = TargetDelay(MOST)
    run(target, late)
    assert 170 * MS <= target.samples <= 225 * MS


def test_what_happens_once_a_minute_is_not_paid_for_all_the_time() -> None:
    target = TargetDelay(MOST)
    run(target, ([0.0] * seconds(60) + [300.0]) * 3 + [0.0] * seconds(2))
    assert target.samples == LEAST_DELAY


def test_half_is_forgotten_after_twenty_seconds() -> None:
    target = TargetDelay(MOST)
    run(target, ([0.0] * 24 + [150.0]) * 120)
    assert target.samples >= 150 * MS
    run(target, [0.0] * seconds(50), start=25 * 120)
    assert target.samples >= 150 * MS, "one in six remembered half seconds is bad"
    run(target, [0.0] * seconds(50), start=25 * 120 + seconds(50))
    assert target.samples == LEAST_DELAY


@pytest.mark.parametrize(("most_ms", "late_ms", "target_ms"), [(100, 90, 100), (100, 190, 100), (400, 450, 400)])
def test_it_covers_no_more_than_allowed_and_that_much_of_what_is_later(
    most_ms: int, late_ms: float, target_ms: int
) -> None:
    target = TargetDelay(most_ms * MS)
    run(target, ([0.0] * 24 + [late_ms]) * 40)
    assert target.samples == target_ms * MS


def test_what_no_allowed_delay_could_cover_does_not_count() -> None:
    target = TargetDelay(100 * MS)
    run(target, ([0.0] * 149 + [2000.0]) * 10 + [0.0] * 149)
    assert target.samples == LEAST_DELAY
    assert target.stalls == 10


@pytest.mark.parametrize(("frame_ms", "target_ms"), [(10, 40), (20, 40), (40, 60), (100, 120), (300, 320)])
def test_long_frames_are_held_back_whole(frame_ms: int, target_ms: int) -> None:
    target = TargetDelay(MOST)
    for number in range(1, 200):
        target.arrived(number * frame_ms * MS, number * frame_ms * MS)
    assert target.samples == pytest.approx(target_ms * MS, abs=10 * MS)


@pytest.mark.parametrize("ppm", [-1000.0, -200.0, 200.0, 1000.0])
def test_another_clock_is_no_jitter(ppm: float) -> None:
    target = TargetDelay(MOST)
    run(target, [number * 20e-6 * ppm for number in range(seconds(600))])
    assert target.samples == LEAST_DELAY


def test_a_pause_of_the_room_is_no_lateness() -> None:
    target = TargetDelay(MOST)
    late: list[float] = []
    for pause_ms in (3000.0, 70.0, 350.0, 100.0, 5000.0, 250.0) * 5:
        late += [(late[-1] if late else 0.0) + pause_ms] * seconds(2)
    run(target, late)
    assert target.samples == LEAST_DELAY
    assert target.pauses == 29, "the first frame of all ends no pause"
    assert target.stalls == 0


def test_a_stall_that_catches_up_is() -> None:
    target = TargetDelay(MOST)
    burst = [200.0 - 20 * n for n in range(10)]
    run(target, ([0.0] * 40 + burst) * 20)
    assert target.samples >= 200 * MS
    assert target.stalls == 20
    assert target.pauses == 0


def test_it_is_open_for_a_moment_what_a_gap_was() -> None:
    target = TargetDelay(MOST)
    run(target, [0.0] * seconds(2))
    now = seconds(2) * FRAME
    target.arrived(now + FRAME, now + FRAME + 1000 * MS)
    assert target.undecided
    base = target.base
    for number in range(2, 11):
        target.arrived(now + number * FRAME, now + number * FRAME + 1000 * MS)
        assert target.undecided
        assert target.base == base
    target.arrived(now + 11 * FRAME, now + 11 * FRAME + 1000 * MS)
    assert target.base == 1000 * MS, "decided"
    assert target.pauses == 1


def test_the_base_is_that_of_the_last_two_seconds() -> None:
    target = TargetDelay(MOST)
    run(target, [0.0] * seconds(2) + [30.0] * seconds(1.9))
    assert target.base == 0
    run(target, [30.0] * seconds(0.2), start=seconds(3.9))
    assert target.base == 30 * MS
    run(target, [0.0], start=seconds(4.1))
    assert target.base == 0, "an earlier one is believed at once"


def test_a_short_word_between_two_pauses_is_no_jitter() -> None:
    target = TargetDelay(MOST)
    now = media = 0
    for talk_s, pause_s in ((10, 1.0), (0.1, 0.6), (0.1, 0.9), (3, 0.0)):
        for _ in range(seconds(talk_s)):
            media += FRAME
            now += FRAME
            target.arrived(media, now)
        now += round(pause_s * 1000) * MS
    assert target.samples == LEAST_DELAY
    assert target.stalls == 0


def test_pauses_stay_pauses_where_this_machine_oversleeps_in_them() -> None:
    target = TargetDelay(MOST)
    now = media = 0
    for _ in range(40):
        for _ in range(seconds(2)):
            media += FRAME
            now += FRAME
            target.arrived(media, now)
        now += 300 * MS
        target.excuse(now - 100 * MS)
    assert target.samples == LEAST_DELAY
    assert target.pauses == 39
    assert target.stalls == 0


def test_a_new_connection_keeps_what_is_known_of_the_network() -> None:
    target = TargetDelay(MOST)
    run(target, ([0.0] * 24 + [150.0]) * 40)
    known = target.samples
    target.restart()
    assert target.base is None
    assert target.samples == known
    run(target, [-5000.0] * 10)
    assert target.base == -5000 * MS
    assert not target.undecided
