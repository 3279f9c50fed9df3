"""What is told of the device's standing to its room, and how often."""

from __future__ import annotations

from ingestd.core.roomnews import ALONE_S, RoomNews


def test_coming_and_going_are_told_once_each() -> None:
    news = RoomNews()
    assert [news.now(there) for there in (False, False, True, True, True, False, False, True)] == [
        None,
        None,
        "connected",
        None,
        None,
        "disconnected",
        None,
        "connected",
    ]


def test_being_alone_is_told_once_each_time() -> None:
    news = RoomNews()
    news.now(True)
    heard = [news.alone(alone_s) for alone_s in (None, 0.0, ALONE_S - 0.1, ALONE_S, ALONE_S + 1, None, 0.0, ALONE_S)]
    assert heard == [False, False, False, True, False, False, False, True]


def test_another_call_alone_is_told_again() -> None:
    news = RoomNews()
    news.now(True)
    assert news.alone(ALONE_S)
    news.now(False)
    news.now(True)
    assert news.alone(ALONE_S)
