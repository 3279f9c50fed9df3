"""A seed stands for the same faults every time, and every kind gets its turn."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from tests.soak.faults import KINDS
from tests.soak.plan import FIRST, OFTEN, PAUSE_S, Planned, plan
from tests.standin.garbage import BREAKS_OFF
from tests.standin.garbage import KINDS as GARBAGE


def first(seed: int, count: int) -> list[Planned]:
    return list(islice(plan(seed, KINDS), count))


def test_a_seed_reproduces_the_plan() -> None:
    assert first(7, 200) == first(7, 200)
    assert first(7, 200) != first(8, 200)


def test_what_has_a_bound_of_its_own_strikes_first() -> None:
    assert [planned.kind.name for planned in first(3, len(FIRST))] == list(FIRST)


def test_every_round_has_every_kind() -> None:
    expected = Counter({kind.name: OFTEN.get(kind.name, 1) for kind in KINDS})
    names = [planned.kind.name for planned in first(3, len(FIRST) + 2 * expected.total())][len(FIRST) :]
    assert Counter(names[: expected.total()]) == expected
    assert Counter(names[expected.total() :]) == expected
    assert names[: expected.total()] != names[expected.total() :]


def test_pauses_and_durations_are_among_those_that_are_meant() -> None:
    for planned in first(5, 300):
        assert PAUSE_S[0] <= planned.pause_s <= PAUSE_S[1]
        assert planned.lasts_s in planned.kind.lasts_s


def test_kinds_that_can_not_strike_are_left_out() -> None:
    able = [kind for kind in KINDS if not kind.root]
    assert len(able) < len(KINDS)
    assert not any(planned.kind.root for planned in islice(plan(1, able), 200))


def test_names_are_unique_and_every_cause_that_stays_ends() -> None:
    names = [kind.name for kind in KINDS]
    assert len(set(names)) == len(names)
    assert set(FIRST) <= set(names)
    assert all(min(kind.lasts_s) > 0 for kind in KINDS if kind.undo is not None)


def test_the_nonsense_is_known_to_the_room() -> None:
    assert set(BREAKS_OFF) < set(GARBAGE)
