"""The device's fill grows with each underrun, and shrinks when there were none for a while."""

from __future__ import annotations

import pytest

from ingestd.core.devicefill import LEAST_FILL, MOST_FILL, DeviceFill

T = 1000.0


@pytest.mark.parametrize(
    ("period", "buffer", "fill"), [(80, 3200, LEAST_FILL), (800, 3200, 1600), (4000, 3200, 3200), (80, 240, 240)]
)
def test_it_begins_with_what_the_device_needs_and_holds(period: int, buffer: int, fill: int) -> None:
    assert DeviceFill(period, buffer, T).samples == fill


@pytest.mark.parametrize(("period", "buffer", "most"), [(80, 3200, MOST_FILL), (1200, 3200, 2400), (80, 800, 800)])
def test_each_underrun_adds_up_to_a_bound(period: int, buffer: int, most: int) -> None:
    fill = DeviceFill(period, buffer, T)
    seen = []
    for _ in range(20):
        fill.ran_dry(T)
        seen.append(fill.samples)
    assert seen == sorted(seen)
    assert seen[0] == min(most, DeviceFill(period, buffer, T).samples + 160)
    assert seen[-1] == most


def test_quiet_minutes_take_it_back() -> None:
    fill = DeviceFill(80, 3200, T)
    for _ in range(4):
        fill.ran_dry(T)
    for second in range(60):
        fill.step(T + second)
    assert fill.samples == LEAST_FILL + 4 * 160, "not yet"
    for second in range(60, 60 + 160):
        fill.step(T + second)
    assert fill.samples == LEAST_FILL


def test_what_underruns_every_half_minute_keeps_it() -> None:
    fill = DeviceFill(80, 3200, T)
    for second in range(600):
        if second % 30 == 0:
            fill.ran_dry(T + second)
        fill.step(T + second)
    assert fill.samples == MOST_FILL


def underruns(late_ms: int, every_s: int, hours: int) -> tuple[int, float]:
    """How often a device runs dry on a machine that is so late every so often, and what it holds in the mean (ms)."""
    fill = DeviceFill(80, 3200, T)
    count = total = 0
    for second in range(1, hours * 3600 + 1):
        if second % every_s == 0 and late_ms * 8 > fill.samples:
            count += 1
            fill.ran_dry(T + second)
        fill.step(T + second)
        total += fill.samples
    return count, total / (hours * 3600) / 8


@pytest.mark.parametrize("every_s", [90, 170, 300, 600, 1700])
@pytest.mark.parametrize("late_ms", [60, 120, 190])
def test_what_a_machine_does_again_and_again_is_not_heard_each_time(late_ms: int, every_s: int) -> None:
    count, mean_ms = underruns(late_ms, every_s, hours=8)
    assert count <= 20, f"of {8 * 3600 // every_s} times"
    assert mean_ms <= late_ms + 20


def test_after_a_relapse_it_holds_what_sufficed_and_no_more() -> None:
    fill = DeviceFill(80, 3200, T)
    late = 66 * 8
    held = []
    for second in range(1, 6 * 3600):
        if second % 10 == 0 and late > fill.samples:
            fill.ran_dry(T + second)
            held.append(fill.samples)
        fill.step(T + second)
    assert set(held) == {LEAST_FILL + 160}


def calm_s(fill: DeviceFill, now: float) -> int:
    """For how long it keeps what it has, an underrun now; then it is taken back whole."""
    fill.ran_dry(now)
    held = fill.samples
    seconds = 0
    while fill.samples == held:
        seconds += 1
        fill.step(now + seconds)
    for second in range(400):
        fill.step(now + seconds + second)
    assert fill.samples == LEAST_FILL
    return seconds


def test_each_relapse_is_given_twice_the_time_until_an_hour_without_any() -> None:
    fill = DeviceFill(80, 3200, T)
    now = T
    for expected_s in (60, 120, 240, 480, 960, 1920, 3600, 3600):
        assert calm_s(fill, now) == expected_s
        now += expected_s + 400
    for second in range(3700):
        fill.step(now + second)
    assert calm_s(fill, now + 3700) == 60
