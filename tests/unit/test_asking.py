"""Asking the supervisor from another thread: answered, refused, or told that it is too late; nobody waits for it."""

from __future__ import annotations

import pytest

from ingestd.errors import NotNow
from ingestd.threads.asking import MAX_WAITING, Asking
from ingestd.threads.mailbox import Asked, Mailbox, Request


class Case:
    """The time, and a supervisor that does what the test says."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.mailbox = Mailbox()
        self.asking = Asking(self.mailbox, lambda: self.now)

    def handed(self) -> list[Asked]:
        """What the supervisor finds."""
        mail = self.mailbox.take_all()
        assert all(isinstance(one, Asked) for one in mail)
        return [one for one in mail if isinstance(one, Asked)]

    def after(self, seconds: float) -> None:
        self.now += seconds
        self.asking.step(self.now)


def test_the_answer_comes_back() -> None:
    case = Case()
    answer = case.asking.ask(Request.CALL, "wss://x")
    (asked,) = case.handed()
    assert (asked.request, asked.ws_url) == (Request.CALL, "wss://x")
    assert not answer.done()
    asked.answer("creating")
    assert answer.result(0) == "creating"


def test_a_refusal_is_the_answer() -> None:
    case = Case()
    answer = case.asking.ask(Request.CALL)
    case.handed()[0].answer(NotNow("hang up first"))
    with pytest.raises(NotNow, match="hang up first"):
        answer.result(0)


def test_one_after_the_other_in_the_order_they_came() -> None:
    case = Case()
    first, second = case.asking.ask(Request.RELOAD), case.asking.ask(Request.HANG_UP)
    (asked,) = case.handed()
    assert asked.request is Request.RELOAD
    case.after(5.0)
    assert case.handed() == []
    asked.answer("read anew")
    case.after(0.3)
    (asked,) = case.handed()
    assert asked.request is Request.HANG_UP
    asked.answer("hung up")
    assert (first.result(0), second.result(0)) == ("read anew", "hung up")


def test_a_few_are_done_at_once_and_a_flood_takes_a_share_of_the_time() -> None:
    case = Case()
    case.asking.ask(Request.RELOAD)
    done_s: list[float] = []
    while case.now < 1010.0:
        for asked in case.handed():
            case.now += 0.01  # it works
            asked.answer("read anew")
            done_s.append(case.now)
            case.asking.ask(Request.RELOAD)
        case.after(0.001)
    assert done_s[3] < 1000.06
    assert 150 <= len(done_s) <= 210, "a fifth of ten seconds"


def test_who_has_waited_for_too_long_is_told_whether_it_may_still_be_done() -> None:
    case = Case()
    handed, waiting = case.asking.ask(Request.RELOAD), case.asking.ask(Request.CALL)
    (asked,) = case.handed()
    case.after(9.9)
    assert not handed.done()
    assert not waiting.done()
    case.after(0.1)
    with pytest.raises(NotNow, match="may still do it"):
        handed.result(0)
    with pytest.raises(NotNow, match="was not done"):
        waiting.result(0)
    later = case.asking.ask(Request.HANG_UP)
    assert case.handed() == [], "it is busy still"
    asked.answer("read anew after all")
    case.after(0.1)
    case.after(0.3)
    (asked,) = case.handed()
    asked.answer("hung up")
    assert later.result(0) == "hung up"


def test_nobody_waits_for_a_supervisor_that_has_ended() -> None:
    case = Case()
    answers = [case.asking.ask(Request.RELOAD), case.asking.ask(Request.CALL)]
    case.mailbox.shut()
    case.after(0.1)
    answers.append(case.asking.ask(Request.CALL))
    for answer in answers:
        with pytest.raises(NotNow, match="way out"):
            answer.result(0)


def test_no_more_than_so_many_wait() -> None:
    case = Case()
    waiting = [case.asking.ask(Request.RELOAD) for _ in range(MAX_WAITING + 1)]  # the supervisor has the first
    with pytest.raises(NotNow, match=f"{MAX_WAITING} requests wait"):
        case.asking.ask(Request.CALL).result(0)
    assert not any(answer.done() for answer in waiting)


def test_a_session_is_not_shown_by_what_was_asked() -> None:
    assert "SECRET" not in repr(Asked(Request.CALL, lambda _answer: None, "wss://x?ref=SECRET"))
    case = Case()
    case.asking.ask(Request.CALL, "wss://x?ref=SECRET")
    case.asking.ask(Request.CALL, "wss://x?ref=SECRET")
    assert "SECRET" not in repr(vars(case.asking))
