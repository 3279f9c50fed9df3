"""What is told, of how many; what state handlers hear; what of a program's output is shown."""

from __future__ import annotations

from typing import Any

import pytest

from ingestd.hooks.batch import EVERY_S, MOST, Batch
from ingestd.hooks.output import MAX_LINE_CHARS, MAX_LOGGED_BYTES, Lines, LogBudget, Reply, shown
from ingestd.hooks.presence import Presence
from ingestd.hooks.repeats import MAX_NEWS, MAX_NEWS_AN_HOUR, QUIET_S, Repeats
from ingestd.hooks.replyrate import BURST, ReplyRate

STREAMING = {"state": "streaming", "reason": "connected", "session": {"epoch": 4}}
WAITING = {"state": "waiting", "reason": "no network", "session": {"epoch": 5}}


def event(name: str | None) -> dict[str, Any]:
    return {"state": "s", "reason": "r", "epoch": 7, "event": name, "detail": {"device": "capture"}}


def test_the_first_is_told_and_in_the_end_how_many_more() -> None:
    repeats = Repeats()
    assert repeats.due_s() is None
    assert repeats.is_news(0.0, "text", "a", 1)
    assert not any(repeats.is_news(float(s), "text", "a", 1) for s in range(1, 100))
    assert repeats.is_news(99.0, "other", "a", 2)
    assert repeats.over(99.0 + QUIET_S - 0.1) == []
    assert repeats.due_s() == 99.0 + QUIET_S
    assert repeats.over(99.0 + QUIET_S) == [("text", 99)], "what came once has been told"
    assert repeats.due_s() is None
    assert repeats.is_news(200.0, "text", "a", 1)


def test_ever_new_strangers_are_not_told_for_ever() -> None:
    repeats = Repeats()
    told = sum(repeats.is_news(number * 0.001, f"stranger {number}", number) for number in range(100_000))
    assert told == MAX_NEWS * 2, "the more within the next QUIET_S"
    ((text, untold),) = repeats.over(1000.0)
    assert "too much" in text
    assert untold == 100_000 - told


def test_strangers_who_go_on_for_hours_are_told_a_hundred_times_an_hour() -> None:
    repeats = Repeats()
    lines = [0] * 5
    for tenth in range(5 * 36_000):
        now = tenth * 0.1
        told = repeats.is_news(now, f"stranger {tenth}", tenth) + len(repeats.over(now))
        lines[int(now // 3600)] += told
    assert max(lines) <= MAX_NEWS_AN_HOUR + 1
    assert min(lines) >= MAX_NEWS_AN_HOUR / 2, "it is told that it goes on"


def test_kinds_that_all_go_on_are_not_kept_without_bound() -> None:
    repeats = Repeats()
    told = sum(repeats.is_news(number * QUIET_S / MAX_NEWS, "text", number) for number in range(100))
    assert told == 100
    for now in range(200, 3_000, 50):
        for number in range(0, now, 3):
            repeats.is_news(float(now), "text", number)
        assert repeats.over(float(now)) == []
    assert len(repeats.over(1e6)) <= 257


def test_the_first_message_is_taken_at_once_and_the_next_ones_together() -> None:
    batch = Batch()
    assert batch.due_s() is None
    assert batch.take(10.0) == []
    batch.add({"id": "1"})
    assert batch.take(10.0) == [{"id": "1"}]
    for number in range(2, 5):
        batch.add({"id": str(number)})
        assert batch.take(10.0 + EVERY_S / 2) == []
    assert batch.due_s() == 10.0 + EVERY_S
    assert batch.take(10.0 + EVERY_S) == [{"id": "2"}, {"id": "3"}, {"id": "4"}]
    batch.add({"id": "5"})
    assert batch.take(20.0) == [{"id": "5"}], "after a while the next is a first one again"


def test_a_flood_is_taken_in_pieces() -> None:
    batch = Batch()
    taken = []
    for number in range(10 * MOST):
        batch.add({"id": str(number)})
        taken.append(len(batch.take(1.0)))
    assert max(taken) == MOST
    assert sum(taken) > 9 * MOST


def test_after_connecting_handlers_hear_what_is() -> None:
    presence = Presence()
    news = presence.status(STREAMING)
    assert news == {"event": "connected", "state": "streaming", "reason": "connected", "epoch": 4, "detail": None}
    assert presence.status({**STREAMING, "state": "overlapping"}) is None, "a renewal is no news"
    assert presence.notified(event("connected")) is None, "nor what a status told before"
    gone = presence.status(WAITING)
    assert gone is not None
    assert gone["event"] == "disconnected"


def test_the_daemon_goes_and_comes_back() -> None:
    presence = Presence()
    assert (presence.daemon_gone() or {})["event"] == "disconnected"
    assert presence.daemon_gone() is None
    assert presence.status(WAITING) is None
    assert (presence.notified(event("connected")) or {})["event"] == "connected"
    assert (presence.daemon_gone() or {})["event"] == "disconnected"
    assert (presence.status(STREAMING) or {})["event"] == "connected"


@pytest.mark.parametrize("name", ["alone", "device-lost", "device-back", "fault"])
def test_everything_else_is_passed_on_each_time(name: str) -> None:
    presence = Presence()
    expected = {"event": name, "state": "s", "reason": "r", "epoch": 7, "detail": {"device": "capture"}}
    assert [presence.notified(event(name)) for _ in range(2)] == [expected] * 2


def test_a_change_of_state_without_an_event_is_none() -> None:
    assert Presence().notified(event(None)) is None
    assert Presence().notified({"state": "streaming"}) is None


def test_output_comes_in_lines_that_are_printable() -> None:
    lines = Lines(LogBudget())
    assert lines.feed(b"one\ntw") == ["one"]
    assert lines.feed(b"o\r\n\n\x1b[2J\xff\n") == ["two", "?[2J\ufffd"]
    assert lines.feed(b"rest") == []
    assert lines.end() == ["rest"]
    assert lines.end() == []


def test_a_line_without_end_comes_in_pieces_and_a_flood_is_cut() -> None:
    budget = LogBudget()
    lines = Lines(budget)
    shown_lines = [line for _ in range(100) for line in lines.feed(b"x" * 1000)] + lines.end()
    assert max(map(len, shown_lines)) <= MAX_LINE_CHARS
    assert sum(map(len, shown_lines)) == MAX_LOGGED_BYTES
    assert budget.dropped_bytes == 100_000 - MAX_LOGGED_BYTES


@pytest.mark.parametrize(
    ("printed", "text"),
    [
        (b"on\n", "on"),
        (b"on", "on"),
        (b"on\n\n", "on\n"),
        (b"", ""),
        (b"\n", ""),
        ("ü".encode() * 4, "üüüü"),
        (b"12345678\n", "12345678"),
        (b"123456789", None),
        (b"12345678\n\n", None),
        (b"\xff", None),
    ],
)
def test_a_reply_of_at_most_eight_bytes(printed: bytes, text: str | None) -> None:
    for size in (1, 3, 100):
        reply = Reply(8)
        for start in range(0, len(printed), size):
            reply.feed(printed[start : start + size])
        assert reply.text() == text
        assert reply.too_long == (len(printed) > 8 and text is None)


def test_a_strangers_name_is_shown_short_and_printable() -> None:
    assert shown("a\x1b\n\u202eb") == "a???b"
    assert len(shown("x" * 1000)) == 64


def test_replies_on_a_topic_are_ten_at_once_and_then_one_a_second() -> None:
    rate = ReplyRate()
    assert sum(rate.take("A", 5.0) for _ in range(50)) == BURST
    assert rate.take("B", 5.0), "each topic has its own"
    assert sum(rate.take("A", 5.0 + tenth / 10) for tenth in range(1, 601)) == 60
    assert sum(rate.take("A", 1000.0) for _ in range(50)) == BURST
