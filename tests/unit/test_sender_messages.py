"""Messages between the frames: each goes out whole by one link, and its publisher hears what is so."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from ingestd.core.outbox import Outcome, Waiting
from ingestd.errors import ChannelClosed
from tests.rig.process import wait_until
from tests.rig.scripted_ports import ScriptedLink
from tests.unit.peers import GUARD_S
from tests.unit.sender_case import Case, wait_sent
from tests.unit.threads_case import running


@pytest.fixture
def case() -> Iterator[Case]:
    made = Case()
    with running(made.thread, made.post):
        yield made


class Breaking(ScriptedLink):
    """Ends in the middle of its first message."""

    def send_message(self, text: bytes) -> bool:
        self.break_off(ChannelClosed("cut"))
        return super().send_message(text)


class Busy(ScriptedLink):
    """Has no room for messages."""

    def send_message(self, text: bytes) -> bool:
        return False


def publish(case: Case, *texts: bytes) -> list[tuple[bytes, Outcome]]:
    told: list[tuple[bytes, Outcome]] = []
    until_s = time.monotonic() + 60.0
    for text in texts:
        case.outbox.put(Waiting(text, 0.0, until_s, lambda outcome, text=text: told.append((text, outcome))))  # type: ignore[misc]
    return told


def test_what_a_link_breaks_off_in_goes_out_by_the_next_and_is_told_then(case: Case) -> None:
    broken = Breaking(1)
    told = publish(case, b"one", b"two")
    case.thread.link.offer(broken)
    wait_until(lambda: broken.users == 1, GUARD_S, "the end of the first link")
    assert (told, len(case.outbox)) == ([], 2)
    link = case.offer(2)
    wait_until(lambda: len(told) == 2, GUARD_S, "the messages")
    assert (broken.messages, link.messages) == ([], [b"one", b"two"])
    assert told == [(b"one", Outcome.SENT), (b"two", Outcome.SENT)]


def test_what_a_link_has_no_room_for_waits_and_the_audio_does_not(case: Case) -> None:
    busy = Busy(1)
    told = publish(case, b"one", b"two")
    case.thread.link.offer(busy)
    wait_sent(busy, 5)
    case.thread.link.offer(None)
    wait_until(lambda: busy.users == 1, GUARD_S, "the sender to leave")  # until then it takes one and puts it back
    assert (told, len(case.outbox)) == ([], 2)
    link = case.offer(2)
    wait_until(lambda: len(told) == 2, GUARD_S, "the messages")
    assert link.messages == [b"one", b"two"]
