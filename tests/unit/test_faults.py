"""Which faults are news: each occurrence once, however often it repeats, and whatever else goes wrong meanwhile."""

from __future__ import annotations

import pytest

from ingestd.core.faults import FLAPPING_S, KEPT, SELDOMEST_S, Fault, FaultLog, Loss
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


def test_a_fault_is_over_when_all_is_well_in_its_area() -> None:
    log = FaultLog()
    told(log, T, "capture", "lost")
    told(log, T, "capture", "busy")
    told(log, T, "playback", "lost")
    assert not any(fault.over for fault in log.all())
    before = log.all()
    log.over("capture", T + 1)
    assert [fault.area for fault in log.all() if fault.over] == ["capture", "capture"]
    assert not any(fault.over for fault in before), "what a reader has does not change"
    told(log, T + 2, "capture", "lost")
    assert [f"{fault.area} {fault.key}" for fault in log.all() if not fault.over] == ["playback lost", "capture lost"]


def test_only_the_last_are_kept_and_the_latest_stands_last() -> None:
    log = FaultLog()
    for number in range(KEPT + 5):
        assert told(log, T + number, key=str(number))
    told(log, T + 100, key="10")
    keys = [fault.key for fault in log.all()]
    assert len(keys) == KEPT
    assert keys[-1] == "10"
    assert keys[0] == "5"


def test_what_lasts_is_kept_longer_than_what_is_over() -> None:
    log = FaultLog()
    told(log, T, "configuration", "refused")
    for number in range(2 * KEPT):
        told(log, T + 60 * number, key=str(number))
        log.over("session", T + 60 * number + 30)
    assert len(log.all()) == KEPT
    assert [fault.area for fault in log.all() if not fault.over] == ["configuration"]


def test_a_stranger_that_always_finds_another_fault_fills_no_memory() -> None:
    log = FaultLog()
    for number in range(5000):
        told(log, T + 60 * number, key=str(number))
        log.over("session", T + 60 * number + 30)
    assert len(log._over_s) <= 2 * KEPT
    for number in range(5000):
        told(log, T, key=f"x{number}")
    assert len(log._current["session"]) <= KEPT


def lasting(log: FaultLog, now: float) -> list[str]:
    return [f"{fault.area} {fault.key}" for fault in log.lasting(now)]


def flapped(*keys: str) -> FaultLog:
    """Each was told, and was over a second before T."""
    log = FaultLog()
    for key in keys:
        assert told(log, T - 10, "capture", key)
    log.over("capture", T - 1)
    return log


def test_what_is_told_at_once_is_not_told_again_however_long_it_lasts() -> None:
    log = FaultLog()
    told(log, T)
    for seconds in range(1, 10_000, 10):
        told(log, T + seconds)
        assert lasting(log, T + seconds) == []


def test_what_came_again_too_soon_to_be_news_is_told_once_it_has_lasted() -> None:
    log = flapped("lost")
    assert not told(log, T, "capture", "lost", "first")
    assert not told(log, T + 20, "capture", "lost", "then")
    assert lasting(log, T + FLAPPING_S - 0.1) == []
    assert log.lasting(T + FLAPPING_S) == [Fault("capture", "lost", "then", WALL + T + 20, 3)]
    for seconds in (1, 100, 10_000):
        assert not told(log, T + FLAPPING_S + seconds, "capture", "lost")
        assert lasting(log, T + FLAPPING_S + seconds) == []
    assert log.over("capture", T + 20_000), "as its end is"


def test_what_was_over_before_it_had_lasted_is_not_told() -> None:
    log = flapped("lost")
    told(log, T, "capture", "lost")
    assert not log.over("capture", T + FLAPPING_S - 1)
    assert lasting(log, T + 1000) == []


def test_of_several_that_came_again_the_present_one_is_told() -> None:
    log = flapped("lost", "absent", "busy")
    for seconds, key in enumerate(("lost", "absent", "busy", "absent")):
        assert not told(log, T + seconds, "capture", key)
    assert lasting(log, T + FLAPPING_S) == ["capture absent"]
    told(log, T + 100, "capture", "busy")
    assert lasting(log, T + 100) == ["capture busy"], "once each"
    told(log, T + 1000, "capture", "absent")
    assert lasting(log, T + 1000) == []


def test_one_that_came_again_is_not_told_while_another_is_that_was() -> None:
    log = flapped("lost")
    told(log, T, "capture", "lost")
    assert told(log, T + 1, "capture", "busy"), "news"
    assert lasting(log, T + 1000) == []


def test_each_place_has_its_own_time() -> None:
    log = flapped("lost")
    told(log, T - 10, "playback", "lost")
    log.over("playback", T - 1)
    told(log, T, "capture", "lost")
    told(log, T + 10, "playback", "lost")
    assert lasting(log, T + FLAPPING_S) == ["capture lost"]
    assert lasting(log, T + FLAPPING_S + 10) == ["playback lost"]


@pytest.mark.parametrize(("gone_s", "there_s"), [(1, 1), (31, 1), (40, 5), (31, 29), (600, 10)])
def test_what_comes_and_goes_all_the_time_fills_no_log(gone_s: int, there_s: int) -> None:
    log, lines, now = FaultLog(), [], T
    while now < T + 86_400:
        lines += [now] * (told(log, now, "capture", "lost") + told(log, now + 0.5, "capture", "absent"))
        for second in range(1, gone_s):
            lines += [now + second for _ in log.lasting(now + second)]
        lines += [now + gone_s] * log.over("capture", now + gone_s)
        now += gone_s + there_s
    assert len(lines) <= 10 + 2 * (now - T) / SELDOMEST_S
    if gone_s > SELDOMEST_S:
        assert len(lines) >= 2 * (now - T) / (gone_s + there_s), "but nothing that lasts so long is kept back"


def test_what_a_reader_has_does_not_change() -> None:
    log = FaultLog()
    told(log, T)
    read = log.all()
    told(log, T + 1, what="other")
    told(log, T + 1, key="other")
    assert [(fault.what, fault.count) for fault in read] == [("can't", 1)]


def test_a_loss_tells_each_of_its_reasons_once() -> None:
    loss = Loss()
    assert loss.since_s is None
    assert loss.goes_on("lost", T)
    assert not any(loss.goes_on("lost", T + n) for n in range(100))
    assert loss.goes_on("absent", T + 100)
    assert loss.goes_on("busy", T + 100.5)
    assert loss.since_s == T
    loss.over()
    assert loss.since_s is None
    assert loss.goes_on("busy", T + 101), "the next one"


def test_a_loss_tells_what_it_is_now_and_floods_nobody() -> None:
    loss = Loss()
    told = [loss.goes_on(("absent", "busy")[n % 2], T + n) for n in range(10_000)]
    assert sum(told) <= 2 + 10_000 / FLAPPING_S
    assert any(loss.goes_on("lost", T + 10_000 + n) for n in range(round(FLAPPING_S)))
    told = [loss.goes_on(str(n), T + 20_000 + n) for n in range(10_000)]
    assert sum(told) <= KEPT + 10_000 / FLAPPING_S


def test_a_dead_link_is_the_same_fault_however_long_it_took() -> None:
    keys = {ChannelClosed(f"no answer to a ping for {seconds} s; taking a fresh session").key for seconds in (5, 6)}
    assert len(keys) == 1
    assert ChannelClosed("closed: “request 17”", 1011, "request 17").key == ChannelClosed("closed", 1011).key
    assert ChannelClosed("closed", 1011).key != ChannelClosed("closed", 1001).key
    assert ChannelError("HTTP status 503").key != ChannelError("HTTP status 401").key
    assert WireError("oversize", "x").key != WireError("binary", "x").key


def test_what_comes_back_every_forty_seconds_for_a_day_is_told_ever_more_seldom() -> None:
    log = FaultLog()
    news = 0
    for n in range(86_400 // 40):
        news += told(log, T + 40 * n)
        log.over("session", T + 40 * n + 1)
    assert 5 <= news <= 10 + 86_400 / SELDOMEST_S
    assert told(log, T + 86_400 + 3 * SELDOMEST_S), "after a while without it, it is news again"
    log.over("session", T + 86_400 + 3 * SELDOMEST_S + 1)
    assert told(log, T + 86_400 + 3 * SELDOMEST_S + 60)
