"""Waits may be ended early a few times at once, and in the long run at a steady rate."""

from __future__ import annotations

from ingestd.core.hurry import Hurry


def test_three_at_once_and_then_one_every_so_often() -> None:
    hurry = Hurry(5.0)
    used = []
    now = 100.0
    for _ in range(1000):
        if hurry.from_s(now) <= now:
            hurry.use(now)
            used.append(now)
        now += 0.1
    assert used[:3] == [100.0, 100.1, 100.19999999999999]
    assert all(later - earlier >= 14.9 for earlier, later in zip(used, used[3:], strict=False))
    assert 19 <= len(used) <= 23


def test_when_all_is_well_they_are_there_again() -> None:
    hurry = Hurry(5.0)
    for _ in range(3):
        hurry.use(100.0)
    assert hurry.from_s(101.0) == 115.0
    hurry.restore()
    assert hurry.from_s(101.0) == 101.0
