"""Messages that wait for their turn: order, number, age, and what their publisher hears."""

from __future__ import annotations

import threading

from hypothesis import example, given
from hypothesis import strategies as st

from ingestd.core.outbox import MAX_WAITING, Outbox, Outcome, Waiting


def message(number: int, told: list[tuple[int, Outcome]], until_s: float = 30.0) -> Waiting:
    return Waiting(b"%d" % number, 0.0, until_s, lambda outcome: told.append((number, outcome)))


def sent(box: Outbox, now: float) -> bytes | None:
    """The next one, as the sender does it where the link takes it."""
    if (taken := box.take(now)) is None:
        return None
    box.sent(taken)
    return taken.text


def test_what_a_link_did_not_take_is_the_next_one_again_and_nobody_is_told() -> None:
    box, told = Outbox(), list[tuple[int, Outcome]]()
    for number in range(2):
        box.put(message(number, told))
    taken = box.take(1.0)
    assert taken is not None
    box.put_back(taken)
    assert (len(box), told) == (2, [])
    assert [sent(box, 2.0), sent(box, 2.0)] == [b"0", b"1"]
    taken = None
    box.put(message(2, told, until_s=3.0))
    taken = box.take(2.0)
    assert taken is not None
    box.put_back(taken)
    box.expire(3.0)
    assert told[-1] == (2, Outcome.EXPIRED)


def test_they_go_out_in_order_and_each_publisher_is_told() -> None:
    box, told = Outbox(), list[tuple[int, Outcome]]()
    for number in range(3):
        assert box.put(message(number, told))
    assert [sent(box, 1.0) for _ in range(4)] == [b"0", b"1", b"2", None]
    assert box.count == 3
    assert told == [(number, Outcome.SENT) for number in range(3)]


def test_more_than_the_bound_are_refused_and_those_that_wait_stay() -> None:
    box, told = Outbox(), list[tuple[int, Outcome]]()
    taken = [box.put(message(number, told)) for number in range(MAX_WAITING + 2)]
    assert taken == [True] * MAX_WAITING + [False] * 2
    assert len(box) == MAX_WAITING
    assert sent(box, 0.0) == b"0"
    assert box.put(message(99, told))


def test_what_is_too_old_never_goes_out_whoever_notices() -> None:
    box, told = Outbox(), list[tuple[int, Outcome]]()
    box.put(message(0, told, until_s=5.0))
    box.put(message(1, told, until_s=9.0))
    box.put(message(2, told, until_s=7.0))
    assert box.due_s == 5.0
    box.expire(4.9)
    assert told == []
    box.expire(7.0)
    assert told == [(0, Outcome.EXPIRED), (2, Outcome.EXPIRED)]
    assert box.take(9.0) is None, "the sender finds it too old as well"
    assert told[-1] == (1, Outcome.EXPIRED)
    assert box.expired == 3
    assert box.due_s > 1e9


@example([("put", 0.0)] * (MAX_WAITING + 2) + [("take", 1.0), ("put", 0.0), ("put", 0.0)])
@given(st.lists(st.tuples(st.sampled_from(["put", "take", "expire"]), st.floats(0.0, 3.0)), max_size=80))
def test_every_publisher_is_told_exactly_once(steps: list[tuple[str, float]]) -> None:
    box, told, now, put = Outbox(), list[tuple[int, Outcome]](), 0.0, 0
    for what, later in steps:
        now += later
        if what == "put":
            room = len(box) < MAX_WAITING
            assert box.put(message(put, told, now + 5.0)) == room
            put += room
        elif what == "take":
            sent(box, now)
        else:
            box.expire(now)
    while sent(box, now) is not None:
        pass
    assert sorted(number for number, _ in told) == list(range(put))
    went = [number for number, outcome in told if outcome is Outcome.SENT]
    assert went == sorted(went)


def test_two_threads_never_decide_about_the_same_message() -> None:
    box, told = Outbox(), list[tuple[int, Outcome]]()
    over = threading.Event()

    def take() -> None:
        while not over.is_set() or len(box):
            if (taken := box.take(5.0)) is not None and taken.text.endswith(b"7"):
                box.put_back(taken)
                box.take(7.0)
            elif taken is not None:
                box.sent(taken)

    taker = threading.Thread(target=take)
    taker.start()
    for number in range(20_000):
        while not box.put(message(number, told, 5.0 if number % 2 else 6.0)):
            pass
        box.expire(5.0)
    over.set()
    taker.join()
    assert sorted(number for number, _ in told) == list(range(20_000))
