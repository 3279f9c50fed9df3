"""What the clients are still to be told: in order, bounded by its bytes, and what is missed is counted."""

from __future__ import annotations

import threading

from ingestd.control.news import News, NewsQueue


def test_news_come_in_order() -> None:
    queue = NewsQueue()
    for number in range(3):
        queue.put("T", b"%d" % number)
    assert len(queue) == 3
    assert [queue.take() for _ in range(4)] == [News("T", b"%d" % number) for number in range(3)] + [None]


def test_there_is_room_for_ten_thousand_messages_at_once() -> None:
    queue = NewsQueue()
    for _ in range(10_000):
        queue.put("T", b"x" * 700)
    assert (len(queue), queue.missed) == (10_000, 0)


def test_what_finds_no_room_is_counted_and_what_waits_stays() -> None:
    queue = NewsQueue(most_bytes=1000)
    for number in range(5):
        queue.put("T", b"%d" % number * 300)
    assert [queue.take() for _ in range(3)] == [News("T", b"0" * 300), News("T", b"1" * 300), None]
    assert queue.missed == 3
    queue.put("T", b"x" * 800)
    assert len(queue) == 1, "there is room again"


def test_what_the_device_itself_has_to_say_is_never_missed() -> None:
    queue = NewsQueue(most_bytes=1000)
    queue.put("T", b"x" * 900)
    queue.put(None, b"somebody came")
    queue.put(None, b"the state", always=True)
    assert queue.missed == 1
    assert [queue.take(), queue.take()] == [News("T", b"x" * 900), News(None, b"the state")]


def test_several_threads_may_put() -> None:
    queue = NewsQueue()

    def put() -> None:
        for _ in range(5000):
            queue.put("T", b"x")

    putting = [threading.Thread(target=put) for _ in range(3)]
    for thread in putting:
        thread.start()
    taken = 0
    while taken < 15_000:
        taken += queue.take() is not None
    for thread in putting:
        thread.join()
    assert queue._bytes == 0
