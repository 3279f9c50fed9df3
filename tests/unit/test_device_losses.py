"""What others hear of a device that is lost: since when, and for which reasons, as they come."""

from __future__ import annotations

import time

import pytest

from ingestd.core.faults import FLAPPING_S
from ingestd.core.playout import Playout
from ingestd.errors import DeviceError
from ingestd.threads import capture
from ingestd.threads.capture import CaptureThread, Microphone
from ingestd.threads.mailbox import DeviceChanged
from ingestd.threads.speaker import Speaker
from tests.rig.process import wait_until
from tests.rig.scripted_ports import ScriptedSink, ScriptedSource
from tests.unit.peers import GUARD_S
from tests.unit.threads_case import Post, running

LOST = DeviceError("it is lost: pulled out")
ABSENT = DeviceError("can't open it: absent")
BUSY = DeviceError("can't open it: busy")


def reasons(post: Post) -> list[Exception | None]:
    """Why it was lost; None where it was opened."""
    return [mail.error for mail in post.all() if isinstance(mail, DeviceChanged)]


class SpeakerCase:
    """A speaker that is fed by the test's own clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.sink = ScriptedSink()
        self.post = Post()
        self.speaker = Speaker(self.sink, Playout(400), self.post.box, clock=lambda: self.now)

    def run(self, seconds: float) -> None:
        end_s = self.now + seconds
        while self.now < end_s:
            self.now = self.speaker.feed(self.now)


def test_a_speaker_tells_every_reason_of_its_loss_once() -> None:
    case = SpeakerCase()
    assert case.speaker.loss.since_s is None
    case.run(1)
    case.sink.lost = LOST
    lost_s = case.now
    for reason in (ABSENT, BUSY, ABSENT):
        case.sink.absent = reason
        case.run(5)
    assert reasons(case.post) == [None, LOST, ABSENT, BUSY]
    assert case.speaker.loss.since_s == lost_s
    case.sink.lost = case.sink.absent = None
    case.run(1)
    assert case.speaker.loss.since_s is None
    case.sink.lost = LOST
    case.run(0.1)
    assert reasons(case.post)[4:] == [None, LOST], "the next loss has its own"


def test_reasons_that_take_turns_for_hours_flood_nobody_and_the_last_is_known() -> None:
    case = SpeakerCase()
    for number in range(2 * 3600):
        case.sink.absent = (ABSENT, BUSY)[number % 2]
        case.run(1)
    assert len(reasons(case.post)) <= 2 + 2 * 3600 / FLAPPING_S
    for reason in (ABSENT, BUSY):
        case.sink.absent = reason
        case.run(FLAPPING_S + 1)
        assert reasons(case.post)[-1] is reason


def test_a_microphone_tells_every_reason_of_its_loss_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "_REOPEN_S", 0.01)
    for name in ("_DEAD_AFTER_S", "_COLD_START_S"):
        monkeypatch.setattr(capture, name, 1000.0)  # a test may be held up: that it brings nothing is no reason here
    source, mic, post = ScriptedSource(), Microphone(), Post()

    def tries(number: int) -> None:
        enough = source.opened + number
        wait_until(lambda: source.opened >= enough, GUARD_S, "some tries")

    def since() -> float | None:
        return mic.loss.since_s

    with running(CaptureThread(source, mic, post.box), post):
        source.bring(bytes(320))
        wait_until(lambda: len(reasons(post)) == 1, GUARD_S, "the microphone")
        assert since() is None
        lost_s = time.monotonic()
        source.absent = ABSENT
        source.fail(LOST)
        tries(3)
        since_s = since()
        for reason in (BUSY, ABSENT):
            source.absent = reason
            tries(3)
        assert since() == since_s
        source.absent = None
        source.bring(bytes(320))
        wait_until(lambda: not mic.lost, GUARD_S, "its return")
        wait_until(lambda: since() is None, GUARD_S, "the end of its loss")
        source.fail(LOST)
        wait_until(lambda: len(reasons(post)) == 6, GUARD_S, "the next loss")
    assert reasons(post) == [None, LOST, ABSENT, BUSY, None, LOST], "which has reasons of its own"
    assert since_s is not None
    assert since_s >= lost_s
