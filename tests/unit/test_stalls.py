"""Hosts whose IPv6 stalls: remembered for a while, and never too many."""

from __future__ import annotations

from ingestd.net.stalls import Stalls


def test_a_host_is_remembered_for_ten_minutes() -> None:
    stalls = Stalls()
    assert not stalls.lately("a.example", 5.0)
    stalls.note("a.example", 5.0)
    assert stalls.lately("a.example", 5.0)
    assert stalls.lately("a.example", 604.9)
    assert not stalls.lately("a.example", 605.0)
    assert not stalls.lately("b.example", 5.0)


def test_one_that_stalls_again_is_remembered_anew() -> None:
    stalls = Stalls()
    stalls.note("a.example", 0.0)
    stalls.note("a.example", 500.0)
    assert stalls.lately("a.example", 1099.0)


def test_one_that_is_forgotten_is_tried() -> None:
    stalls = Stalls()
    stalls.note("a.example", 0.0)
    stalls.forget("a.example")
    stalls.forget("never.example")
    assert not stalls.lately("a.example", 0.0)


def test_the_oldest_make_room() -> None:
    stalls = Stalls()
    for number in range(100):
        stalls.note(f"{number}.example", float(number))
    remembered = [number for number in range(100) if stalls.lately(f"{number}.example", 100.0)]
    assert remembered == list(range(68, 100))
