"""Word for the supervisor: nothing is lost, nothing blocks, and a flood is bounded."""

from __future__ import annotations

import select
import signal
import threading

import pytest

from ingestd.core.wire import Message, Unknown
from ingestd.threads.mailbox import MAX_WAITING_BYTES, Mail, Mailbox, RoomEvent, Signalled
from tests.unit.peers import Task


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


def readable(mailbox: Mailbox) -> bool:
    return bool(select.select([mailbox], [], [], 0)[0])


def message(text: str) -> Message:
    return Message("T", text, "p", "Alice", "2026-06-27T14:41:00.000Z", "id")


def test_mail_comes_in_order_and_wakes_the_poller(mailbox: Mailbox) -> None:
    assert not readable(mailbox)
    assert mailbox.take_all() == []
    for number in range(3):
        mailbox.post(Signalled(number))
    assert readable(mailbox)
    assert mailbox.take_all() == [Signalled(0), Signalled(1), Signalled(2)]
    assert not readable(mailbox)
    assert mailbox.take_all() == []


def test_room_events_are_bounded_and_nothing_else_is(mailbox: Mailbox) -> None:
    most = MAX_WAITING_BYTES // 8192
    for _ in range(most + 10):
        mailbox.post(RoomEvent(1, Unknown("x")))
    mailbox.post(Signalled(15))
    assert mailbox.discarded_events == 10
    mail = mailbox.take_all()
    assert len(mail) == most + 1
    assert mail[-1] == Signalled(15)
    mailbox.post(RoomEvent(1, Unknown("x")))
    assert len(mailbox.take_all()) == 1


def test_a_history_of_ten_thousand_messages_finds_room_and_as_many_long_ones_do_not(mailbox: Mailbox) -> None:
    for number in range(10_000):
        mailbox.post(RoomEvent(1, message(f"{number} ".ljust(250, "x"))))
    assert mailbox.discarded_events == 0
    assert len(mailbox.take_all()) == 10_000
    for _ in range(1000):
        mailbox.post(RoomEvent(1, message("😀" * 8192)))
    held = mailbox.take_all()
    assert len(held) + mailbox.discarded_events == 1000
    assert len(held) * 8192 * 4 <= MAX_WAITING_BYTES, "by the memory it takes"
    mailbox.post(RoomEvent(1, message("again")))
    assert len(mailbox.take_all()) == 1


def test_no_mail_of_any_thread_is_lost_while_another_takes(mailbox: Mailbox) -> None:
    def post(first: int) -> None:
        for number in range(first, first + 5000):
            mailbox.post(Signalled(number))

    posters = [Task(lambda first=first: post(first)) for first in (0, 5000, 10_000)]  # type: ignore[misc]
    taken: list[Mail] = []
    while len(taken) < 15_000:
        assert select.select([mailbox], [], [], 20)[0], "mail is there, but nobody was woken"
        taken += mailbox.take_all()
    for poster in posters:
        poster.result()
    numbers = [mail.number for mail in taken if isinstance(mail, Signalled)]
    assert sorted(numbers) == list(range(15_000))
    for first in (0, 5000, 10_000):
        mine = [number for number in numbers if first <= number < first + 5000]
        assert mine == sorted(mine)


def test_a_signal_handler_may_post_at_any_moment(mailbox: Mailbox) -> None:
    assert threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGUSR2, lambda _number, _frame: mailbox.post(Signalled(-1)))
    taken = 0
    try:
        for number in range(2000):
            signal.raise_signal(signal.SIGUSR2)
            mailbox.post(Signalled(number))
            signal.raise_signal(signal.SIGUSR2)
            taken += len(mailbox.take_all())
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert taken + len(mailbox.take_all()) == 6000


def test_a_closed_mailbox_gives_its_descriptor_back(mailbox: Mailbox) -> None:
    mailbox.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        mailbox.post(Signalled(1))
