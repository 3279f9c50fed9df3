"""How often one device may ask: against the algorithm itself, on both databases, with several brokers."""

from __future__ import annotations

import contextlib
import random
import threading

import pytest

from ingestd.broker.admission import Admission
from ingestd.broker.devices import NewDevice, Registry
from ingestd.broker.storage import Storage

NOW_MS = 1_795_000_000_000


@pytest.fixture
def device(storage: Storage) -> int:
    registry = Registry(storage, lambda: 0.0)
    registry.add(NewDevice("other"))
    registry.add(NewDevice("pump-7"))
    return registry.get("pump-7").id


def admit(storage: Storage, admission: Admission, device: int, now_ms: int) -> float:
    with storage.writing() as connection:
        return admission.admit(connection, device, now_ms)


class Bucket:
    """The same promise in other words: a bucket of `burst` drops, which gains one each `even_ms`."""

    def __init__(self, even_ms: int, burst: int) -> None:
        self.even_ms = even_ms
        self.burst = burst
        self.level = float(burst)
        self.at_ms = 0

    def admits(self, now_ms: int) -> bool:
        self.level = min(self.burst, self.level + (now_ms - self.at_ms) / self.even_ms)
        self.at_ms = now_ms
        if self.level < 1 - 1e-6:
            return False
        self.level -= 1
        return True


@pytest.mark.parametrize(
    ("per_minute", "burst", "even_ms"), [(12, 10, 5000), (600, 1, 100), (1, 3, 60_000), (60, 60, 1000)]
)
def test_it_is_a_bucket_that_fills_evenly(
    storage: Storage, device: int, per_minute: int, burst: int, even_ms: int
) -> None:
    admission, bucket = Admission(per_minute, burst), Bucket(even_ms, burst)
    chosen = random.Random(7)
    now_ms = NOW_MS
    bucket.at_ms = now_ms
    for _ in range(100):
        now_ms += chosen.choice([0, 1, even_ms // 3, even_ms, 3 * even_ms, burst * even_ms])
        wait_s = admit(storage, admission, device, now_ms)
        assert (wait_s == 0.0) == bucket.admits(now_ms)
        if wait_s:
            assert admission.refused_s(device, now_ms) == wait_s
            assert admission.refused_s(device, now_ms + round(wait_s * 1000)) == 0.0
            assert admit(storage, admission, device, now_ms + round(wait_s * 1000) - 1) > 0
            now_ms += round(wait_s * 1000)  # exactly then it is
            assert admit(storage, admission, device, now_ms) == 0.0
            assert bucket.admits(now_ms)


def test_a_rate_that_does_not_divide_a_minute_is_never_exceeded(storage: Storage, device: int) -> None:
    admission = Admission(7, 1)  # 8571.43 ms apart
    assert [admit(storage, admission, device, NOW_MS - 60_000 + ms) for ms in (0, 8571, 8572)] == [0.0, 0.001, 0.0]
    assert sum(admit(storage, admission, device, NOW_MS + ms) == 0 for ms in range(0, 60_000, 500)) == 7


def test_who_is_refused_loses_nothing_by_asking(storage: Storage, device: int) -> None:
    admission = Admission(12, 1)
    assert admit(storage, admission, device, NOW_MS) == 0.0
    for ms in range(0, 5000, 500):
        assert admit(storage, admission, device, NOW_MS + ms) == (5000 - ms) / 1000
    assert admit(storage, admission, device, NOW_MS + 5000) == 0.0


def test_each_device_has_a_rate_of_its_own(storage: Storage, device: int) -> None:
    admission = Admission(12, 1)
    other = Registry(storage, lambda: 0.0).get("other").id
    assert admit(storage, admission, device, NOW_MS) == 0.0
    assert admit(storage, admission, other, NOW_MS) == 0.0
    assert admit(storage, admission, device, NOW_MS) > 0
    assert admission.refused_s(other, NOW_MS) == 0.0


def test_a_transaction_that_fails_takes_nothing(storage: Storage, device: int) -> None:
    admission = Admission(12, 1)
    with contextlib.suppress(ZeroDivisionError), storage.writing() as connection:
        assert admission.admit(connection, device, NOW_MS) == 0.0
        raise ZeroDivisionError
    assert admit(storage, admission, device, NOW_MS) == 0.0


def test_it_is_exact_over_brokers_that_share_the_database(storage: Storage, device: int) -> None:
    brokers = [Admission(12, 10) for _ in range(6)]  # each knows the others by the database alone
    began = threading.Barrier(len(brokers))
    waits: list[float] = []

    def ask(admission: Admission) -> None:
        began.wait()
        waits.extend(admit(storage, admission, device, NOW_MS) for _ in range(5))

    threads = [threading.Thread(target=ask, args=(one,)) for one in brokers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(waits) == [0.0] * 10 + [5.0] * 20


def test_a_clock_that_was_set_back_locks_nobody_out(storage: Storage, device: int) -> None:
    admission = Admission(12, 10)
    for _ in range(10):
        admit(storage, admission, device, NOW_MS)
    assert admit(storage, admission, device, NOW_MS) > 0
    yesterday_ms = NOW_MS - 86_400_000
    assert admission.refused_s(device, yesterday_ms) == 0.0
    assert [admit(storage, admission, device, yesterday_ms) for _ in range(11)] == [0.0] * 10 + [5.0]


def test_brokers_whose_clocks_differ_give_no_more_for_it(storage: Storage, device: int) -> None:
    ahead, behind = Admission(12, 2), Admission(12, 2)
    assert [admit(storage, ahead, device, NOW_MS + 30_000) for _ in range(3)] == [0.0, 0.0, 5.0]
    assert admit(storage, behind, device, NOW_MS) == 35.0
