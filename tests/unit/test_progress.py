"""What stands still is found, what is idle or was suspended is not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingestd.core.progress import Progress, Watch

T = 1000.0
WITHIN_S = 5.0


class Part:
    """Something with a counter, which the test moves."""

    def __init__(self, name: str = "capture", within_s: float = WITHIN_S) -> None:
        self.count = 0
        self.idle = False
        self.watch = Watch(name, lambda: self.count, lambda: self.idle, within_s)


def asked(progress: Progress, first_s: float, last_s: float) -> list[list[str]]:
    """The answers of a second each, from first to last (included)."""
    return [progress.stuck(T + second) for second in range(int(first_s), int(last_s) + 1)]


def test_what_advances_is_never_stuck() -> None:
    part = Part()
    progress = Progress([part.watch])
    for second in range(100):
        part.count += 1
        assert progress.stuck(T + second) == []


def test_what_stands_still_is_stuck_after_its_time_and_until_it_moves() -> None:
    part = Part()
    progress = Progress([part.watch])
    assert asked(progress, 0, 4) == [[]] * 5
    assert asked(progress, 5, 20) == [["capture"]] * 16
    part.count += 1
    assert asked(progress, 21, 25) == [[]] * 5
    assert asked(progress, 26, 26) == [["capture"]]


def test_each_has_its_own_time_and_is_named() -> None:
    slow, quick, well = Part("socket", 8.0), Part("capture", 3.0), Part("playback", 3.0)
    progress = Progress([slow.watch, quick.watch, well.watch])
    found = []
    for second in range(9):
        well.count += 1
        found.append(progress.stuck(T + second))
    assert found == [[]] * 3 + [["capture"]] * 5 + [["socket", "capture"]]


def test_what_is_idle_is_not_stuck_and_begins_anew_when_it_has_work() -> None:
    part = Part()
    progress = Progress([part.watch])
    asked(progress, 0, 3)
    part.idle = True
    assert asked(progress, 4, 60) == [[]] * 57
    part.idle = False
    assert asked(progress, 61, 64) == [[]] * 4
    assert asked(progress, 65, 65) == [["capture"]]


def test_a_counter_that_begins_again_has_advanced() -> None:
    part = Part()
    part.count = 1_000_000
    progress = Progress([part.watch])
    asked(progress, 0, 3)
    part.count = 0
    assert asked(progress, 4, 8) == [[]] * 5
    assert asked(progress, 9, 9) == [["capture"]]


def test_a_suspended_process_gets_one_full_period_again() -> None:
    part = Part()
    progress = Progress([part.watch])
    asked(progress, 0, 4)
    assert asked(progress, 3600, 3604) == [[]] * 5
    assert asked(progress, 3605, 3605) == [["capture"]]


def test_a_second_suspend_is_excused_where_it_moved_in_between() -> None:
    part = Part()
    progress = Progress([part.watch])
    asked(progress, 0, 4)
    asked(progress, 3600, 3603)
    part.count += 1
    asked(progress, 3604, 3604)
    assert asked(progress, 7200, 7204) == [[]] * 5


def test_a_machine_that_always_asks_late_does_not_hide_what_is_stuck() -> None:
    part = Part()
    progress = Progress([part.watch])
    found = [progress.stuck(T + second) for second in range(0, 40, 4)]
    assert found[-1] == ["capture"]


def test_nothing_watched_is_nothing_stuck() -> None:
    assert Progress([]).stuck(T) == []


MOVES = st.sampled_from(["move", "back", "idle", "busy", "nothing"])


@given(st.lists(st.tuples(MOVES, st.floats(0.5, 2.0)), max_size=80))
def test_stuck_is_what_was_busy_and_unmoved_for_its_whole_time(steps: list[tuple[str, float]]) -> None:
    part, now, well_s = Part(), T, T
    progress = Progress([part.watch])
    progress.stuck(now)
    for what, later_s in steps:
        now += later_s
        part.count += {"move": 7, "back": -3}.get(what, 0)
        if what in ("idle", "busy"):
            part.idle = what == "idle"
        if what in ("move", "back") or part.idle:
            well_s = now
        assert progress.stuck(now) == (["capture"] if now - well_s >= WITHIN_S else [])
