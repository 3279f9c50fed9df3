"""How many ask the service at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from ingestd.broker.errors import Refused
from ingestd.broker.gate import Gate


def half() -> float:
    return 0.5


@contextmanager
def taken(gate: Gate, places: int) -> Iterator[ExitStack]:
    with ExitStack() as held:
        for _ in range(places):
            held.enter_context(gate.place())
        yield held


def test_as_many_as_there_are_places_get_one_at_once() -> None:
    gate = Gate(3, half, wait_s=0.0)
    with taken(gate, 3):
        pass
    with taken(gate, 3):
        pass


def test_one_more_is_told_to_come_again() -> None:
    gate = Gate(3, half, wait_s=0.0)
    with taken(gate, 3), pytest.raises(Refused) as caught, gate.place():
        pass
    assert (caught.value.status, caught.value.code, caught.value.retry_after_s) == (429, "busy", 7.0)


def test_a_place_is_given_back_by_who_fails() -> None:
    gate = Gate(1, half, wait_s=0.0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), gate.place():
            raise ZeroDivisionError


def test_who_waits_gets_the_place_that_becomes_free() -> None:
    gate = Gate(1, half, wait_s=30.0)
    for _ in range(2):  # who has waited leaves room for the next one who does
        wait_and_get(gate)


def wait_and_get(gate: Gate) -> None:
    got = threading.Event()

    def wait() -> None:
        with gate.place():
            got.set()

    with taken(gate, 1) as held:
        waiting = threading.Thread(target=wait)
        waiting.start()
        while gate._waiting._value:  # until it has begun to wait
            time.sleep(0.001)
        assert not got.is_set()
        held.close()
        assert got.wait(10)
    waiting.join()


def test_few_may_wait() -> None:
    gate = Gate(12, half, wait_s=30.0)
    got = threading.Barrier(3)

    def wait() -> None:
        with gate.place():
            got.wait(10)

    with taken(gate, 12) as held:
        waiting = [threading.Thread(target=wait) for _ in range(2)]
        for one in waiting:
            one.start()
        while gate._waiting._value:
            time.sleep(0.001)
        with pytest.raises(Refused), gate.place():  # at once, where it would be 30 s
            pass
        held.close()
        got.wait(10)
    for one in waiting:
        one.join()
