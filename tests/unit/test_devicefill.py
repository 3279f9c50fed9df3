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
