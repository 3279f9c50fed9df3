"""A lock that is handed on in order, and kept by nobody who gave up."""

from __future__ import annotations

import threading

import pytest

from ingestd.broker import queueing as module
from ingestd.broker.queueing import Queueing
from tests.rig.process import wait_until

GUARD_S = 20.0


def waiting(lock: Queueing, count: int) -> None:
    wait_until(lambda: len(lock._waiting) == count, GUARD_S, f"{count} who wait", every=0.001)


def test_one_holds_it_at_a_time() -> None:
    lock = Queueing()
    assert lock.acquire(timeout=0)
    assert not lock.acquire(timeout=0)
    lock.release()
    assert lock.acquire(timeout=0)


def test_it_goes_to_those_who_wait_in_the_order_in_which_they_asked() -> None:
    lock = Queueing()
    order: list[int] = []
    assert lock.acquire(timeout=0)

    def take(number: int) -> None:
        assert lock.acquire(timeout=GUARD_S)
        order.append(number)
        lock.release()

    threads = [threading.Thread(target=take, args=(number,)) for number in range(5)]
    for number, thread in enumerate(threads):
        thread.start()
        waiting(lock, number + 1)
    lock.release()
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3, 4]


def test_who_asks_again_does_not_pass_by_one_who_waits() -> None:
    lock = Queueing()
    assert lock.acquire(timeout=0)
    has_it, go_on = threading.Event(), threading.Event()

    def take() -> None:
        assert lock.acquire(timeout=GUARD_S)
        has_it.set()
        assert go_on.wait(GUARD_S)
        lock.release()

    thread = threading.Thread(target=take)
    thread.start()
    waiting(lock, 1)
    lock.release()
    assert not lock.acquire(timeout=0), "it is the other's, whether he has woken or not"
    assert has_it.wait(GUARD_S)
    go_on.set()
    thread.join()
    assert lock.acquire(timeout=0)


def test_who_gave_up_is_not_waited_for() -> None:
    lock = Queueing()
    assert lock.acquire(timeout=0)
    assert not lock.acquire(timeout=0.01)
    lock.release()
    assert lock.acquire(timeout=0)


def test_what_comes_at_the_moment_of_giving_up_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    lock = Queueing()
    assert lock.acquire(timeout=0)

    class TooLate:
        """Whose patience ends as its turn comes."""

        def acquire(self, timeout: float | None = None) -> bool:
            if timeout is None:
                return True
            lock.release()
            return False

        def release(self) -> None:
            """Let go, and nobody was there any more."""

    monkeypatch.setattr(module, "Lock", TooLate)
    assert lock.acquire(timeout=1.0)
    assert not lock._waiting
    lock.release()
    assert lock.acquire(timeout=0)
