"""Which faults are news: each occurrence once, however often it repeats, and whatever else goes wrong meanwhile."""

from __future__ import annotations

from ingestd.core.faults import FLAPPING_S, KEPT, Fault, FaultLog
from ingestd.errors import ChannelClosed, ChannelError, WireError

T = 5000.0
WALL = 1.7e9


def told(log: FaultLog, now: float, area: str = "session", key: str = "unreachable", what: str = "can't") -> bool:
    return log.add(area, key, what, now, WALL + now)


def test_nothing_went_wrong_yet() -> None:
    log = FaultLog()
    assert log.all() == ()
    assert log.over("session", T), "the first success is news"


def test_a_fault_is_news_once_however_often_it_repeats() -> None:
    log = FaultLog()
    assert told(log, T)
    assert not any(told(log, T + 60 * n, what=f"can't, {n}") for n in range(1, 10_000))
    assert log.all() == (Fault("session", "unreachable", "can't, 9999", WALL + T + 60 * 9999, 10_000),)


def test_the_very_first_fault_after_boot_is_news() -> None:
    assert told(FaultLog(), 0.0)


def test_faults_that_take_turns_are_news_once_each() -> None:
    log = FaultLog()
    keys = ["unreachable", "unavailable", "tls"]
    news = [told(log, T + 60 * n, key=keys[n % 3]) for n in range(3000)]
    assert news == [True] * 3 + [False] * 2997
    assert [fault.count for fault in log.all()] == [1000] * 3


def test_it_is_news_again_after_a_while_without_it() -> None:
    log = FaultLog()
    assert told(log, T)
    assert log.over("session", T + 10)
    assert not told(log, T + 10 + FLAPPING_S - 0.1), "it comes and goes"
    assert log.all()[0].count == 2
    assert not log.over("session", T + 60), "nobody was told that it was back"
    assert told(log, T + 60 + FLAPPING_S)
    assert log.all()[0].count == 1, "a new occurrence counts from one"
    assert log.over("session", T + 200)


def test_all_that_went_wrong_together_is_over_together() -> None:
    log = FaultLog()
    for key in ("a", "b"):
        assert told(log, T, key=key)
    log.over("session", T + 1)
    for key in ("a", "b"):
        assert not told(log, T + 3, key=key)
    log.over("session", T + 4)
    for key in ("a", "b"):
        assert told(log, T + 4 + FLAPPING_S, key=key)


def test_a_place_that_is_well_says_nothing_of_another() -> None:
    log = FaultLog()
    assert told(log, T, "capture", "capture")
    assert told(log, T, "playback", "playback")
    assert log.over("session", T + 1)
    log.over("playback", T + 1)
    assert not told(log, T + 1000, "capture", "capture")
    assert told(log, T + 1000, "playback", "playback")


def test_only_the_last_are_kept_and_the_latest_stands_last() -> None:
    log = FaultLog()
    for number in range(KEPT + 5):
        assert told(log, T + number, key=str(number))
    told(log, T + 100, key="10")
    keys = [fault.key for fault in log.all()]
    assert len(keys) == KEPT
    assert keys[-1] == "10"
    assert keys[0] == "5"


def test_a_stranger_that_always_finds_another_fault_fills_no_memory() -> None:
    log = FaultLog()
    for number in range(5000):
        told(log, T + 60 * number, key=str(number))
        log.over("session", T + 60 * number + 30)
    assert len(log._over_s) <= 2 * KEPT
    for number in range(5000):
        told(log, T, key=f"x{number}")
    assert len(log._current["session"]) <= KEPT


def test_what_a_reader_has_does_not_change() -> None:
    log = FaultLog()
    told(log, T)
    read = log.all()
    told(log, T + 1, what="other")
    told(log, T + 1, key="other")
    assert [(fault.what, fault.count) for fault in read] == [("can't", 1)]


def test_a_dead_link_is_the_same_fault_however_long_it_took() -> None:
    keys = {ChannelClosed(f"no answer to a ping for {seconds} s; taking a fresh session").key for seconds in (5, 6)}
    assert len(keys) == 1
    assert ChannelClosed("closed: “request 17”", 1011, "request 17").key == ChannelClosed("closed", 1011).key
    assert ChannelClosed("closed", 1011).key != ChannelClosed("closed", 1001).key
    assert ChannelError("HTTP status 503").key != ChannelError("HTTP status 401").key
    assert WireError("oversize", "x").key != WireError("binary", "x").key
