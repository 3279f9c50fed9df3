"""The receiver thread: room audio to the speaker, all else to the supervisor, and it never spins."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from ingestd.audio.ports import Negotiated
from ingestd.core import wire
from ingestd.core.wire import Media
from ingestd.errors import ChannelClosed, DeviceError, RemoteProtocolError
from ingestd.threads.mailbox import DeviceChanged, LinkEnded, LinkJoined, RoomEvent
from tests.rig.memory_ports import ClockedSink
from tests.rig.process import wait_until
from tests.rig.scripted_ports import ScriptedSink
from tests.unit.exactly import exactly
from tests.unit.peers import GUARD_S
from tests.unit.receiver_case import Case, tone
from tests.unit.threads_case import running

MESSAGE = wire.Message("T", "x", None, None, None, None)
LEFT = wire.ParticipantLeft(wire.Participant("p", None, None))


@pytest.fixture
def case() -> Iterator[Case]:
    made = Case(ClockedSink(keep_s=10.0))
    with running(made.thread, made.post):
        yield made


def wait_received(case: Case, frames: int) -> None:
    wait_until(lambda: case.thread.frames >= frames, GUARD_S, f"{frames} frames")


def played(sink: ClockedSink) -> bytes:
    return bytes(sink.played)


def test_room_audio_comes_out_of_the_speaker_in_order() -> None:
    sink = ClockedSink(keep_s=10.0)
    case = Case(sink)
    speaker = case.thread.speaker
    with running(case.thread, case.post):
        link = case.offer()
        due = 0
        for value in range(1, 31):
            link.arrive(Media(tone(500 * value)))
            due = max(due + 160, speaker.played_samples - 320)  # what a stall has held back comes in no burst
            wait_until(lambda due=due: speaker.played_samples >= due, GUARD_S, "its time")  # type: ignore[misc]
        wait_until(lambda: case.thread.frames == 30 and case.playout.delay_ms == 0, GUARD_S, "the last of it")
    # The first is faded in, and the playout may stretch any.
    places = [played(sink).find(tone(500 * value, 80)) for value in range(2, 27)]
    found = [place for place in places if place >= 0]
    assert found == sorted(found)
    assert len(found) > 20
    assert case.thread.frames == 30
    assert case.thread.speaker.played_samples >= 1600
    told = [mail for mail in case.post.all() if not isinstance(mail, DeviceChanged)]
    assert exactly(told) == exactly([LinkJoined(1)])


def test_everything_else_goes_to_the_supervisor_with_its_epoch(case: Case) -> None:
    link = case.offer(epoch=5)
    link.arrive(MESSAGE, Media(tone(1)), LEFT, wire.Unknown("new"))
    wait_until(lambda: len(case.post.of(RoomEvent)) == 3, GUARD_S, "the events")
    expected = [RoomEvent(5, event) for event in (MESSAGE, LEFT, wire.Unknown("new"))]
    assert exactly(case.post.of(RoomEvent)) == exactly(expected)
    assert case.thread.frames == 1


@pytest.mark.parametrize("error", [ChannelClosed("bye", 1000), RemoteProtocolError("masked")])
def test_the_end_is_told_once_after_all_that_came_before_it(case: Case, error: ChannelClosed) -> None:
    link = case.offer(epoch=3)
    wait_until(lambda: link.users == 2, GUARD_S, "the receiver")
    link.arrive(MESSAGE)
    link.break_off(error)
    wait_until(lambda: link.users == 1, GUARD_S, "the receiver to leave")
    again = case.offer(epoch=4)
    again.arrive(LEFT)
    wait_until(lambda: len(case.post.of(RoomEvent)) == 2, GUARD_S, "word of the next link")
    told = [mail for mail in case.post.all() if not isinstance(mail, DeviceChanged)]
    assert exactly(told) == exactly([RoomEvent(3, MESSAGE), LinkEnded(3, error), RoomEvent(4, LEFT)])
    assert (link.users, again.users) == (1, 2)


def test_a_link_that_is_taken_away_is_left_and_read_no_more(case: Case) -> None:
    link = case.offer()
    wait_until(lambda: link.users == 2, GUARD_S, "the receiver")
    case.thread.link.offer(None)
    wait_until(lambda: link.users == 1, GUARD_S, "the receiver to leave")
    link.arrive(MESSAGE)
    begun = case.thread.progress_s
    wait_until(lambda: case.thread.progress_s > begun + 0.1, GUARD_S, "some rounds")
    assert case.post.of(RoomEvent) == []


def test_the_thread_leaves_its_link_and_its_device_on_the_way_out() -> None:
    sink = ScriptedSink()
    case = Case(sink)
    with running(case.thread, case.post):
        link = case.offer()
        wait_until(lambda: link.users == 2 and sink.opened, GUARD_S, "the receiver")
    assert link.users == 1
    assert sink.closed == 1


def test_what_an_old_link_left_is_not_played_on_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestd.threads.speaker._STUCK_AFTER_S", 1000.0)  # it asks for nothing, and is not given up
    sink = ScriptedSink()
    sink.queue = lambda: sink.BUFFER_SAMPLES  # full: it asks for nothing
    case = Case(sink)
    with running(case.thread, case.post):
        case.offer(1).arrive(Media(tone(1)))
        wait_until(lambda: case.playout.delay_ms == 20, GUARD_S, "its audio")
        link = case.offer(2)
        wait_until(lambda: case.playout.delay_ms == 0, GUARD_S, "the end of it")
        link.arrive(Media(tone(2, 80)))
        wait_until(lambda: case.playout.delay_ms == 10, GUARD_S, "the new link's")


@pytest.mark.parametrize("when", ["alone", "connected", "after the end", "without a speaker"])
def test_it_does_not_spin(when: str) -> None:
    sink = ScriptedSink()
    sink.queue = lambda: 0
    sink.takes = lambda samples: samples
    sink.absent = DeviceError("can't open it") if when == "without a speaker" else None
    case = Case(sink)
    feed, rounds = case.thread.speaker.feed, [0]

    def counted(now: float) -> float:
        rounds[0] += 1
        return feed(now)

    case.thread.speaker.feed = counted  # type: ignore[method-assign]
    with running(case.thread, case.post):
        if when != "alone":
            link = case.offer()
            wait_until(lambda: link.users == 2, GUARD_S, "the receiver")
        if when == "after the end":
            link.break_off(ChannelClosed("cut"))
            wait_until(lambda: link.users == 1, GUARD_S, "the receiver to leave")
        begun_s, before = time.monotonic(), rounds[0]
        wait_until(lambda: time.monotonic() - begun_s > 0.3, GUARD_S, "a while", every=0.1)
        assert rounds[0] - before <= (time.monotonic() - begun_s) / 0.005 + 5, "a round lasts 5 ms at least"


def test_an_absent_speaker_is_told_once_and_looked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestd.threads.speaker._REOPEN_S", 0.01)
    sink = ScriptedSink()
    sink.absent = DeviceError("can't open it")
    case = Case(sink)
    with running(case.thread, case.post):
        link = case.offer()
        link.arrive(Media(tone(1)), MESSAGE)
        wait_until(lambda: case.post.of(RoomEvent), GUARD_S, "the message")
        enough = sink.opened + 5
        wait_until(lambda: sink.opened >= enough, GUARD_S, "some tries")
        assert case.post.of(DeviceChanged) == [DeviceChanged("playback", "", sink.absent)]
        assert exactly(case.post.of(RoomEvent)) == exactly([RoomEvent(1, MESSAGE)]), "the call goes on"
        assert case.playout.delay_ms == 0, "nobody will want to hear it later"
        sink.absent = None
        wait_until(lambda: len(case.post.of(DeviceChanged)) == 2, GUARD_S, "its return")
        wait_until(lambda: sink.writes, GUARD_S, "sound")
    agreed = Negotiated("scripted", 80, ScriptedSink.BUFFER_SAMPLES)
    assert case.post.of(DeviceChanged)[1] == DeviceChanged("playback", "scripted", None, agreed)


def test_the_servers_clock_is_followed_and_a_new_connection_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = ScriptedSink()
    case = Case(sink)
    observed = case.thread.drift.observed
    restarted = [0]

    def restart() -> None:
        restarted[0] += 1

    monkeypatch.setattr(case.thread.drift, "restart", restart)
    with running(case.thread, case.post):
        link = case.offer()
        begun_s = time.monotonic()
        link.arrive(Media(tone(1)), Media(tone(2, 80)), MESSAGE)
        wait_until(lambda: observed, GUARD_S, "the first")
        link.arrive(MESSAGE)
        wait_until(lambda: len(case.post.of(RoomEvent)) == 2, GUARD_S, "no audio")
        link.arrive(Media(tone(3)))
        wait_until(lambda: len(observed) == 2, GUARD_S, "the next")
        assert restarted == [1]
        again = case.offer(2)
        wait_until(lambda: again.users == 2, GUARD_S, "the receiver")
    assert restarted == [2]
    assert [samples for _, samples in observed] == [240, 400]
    assert begun_s < observed[0][0] <= observed[1][0] < time.monotonic()
