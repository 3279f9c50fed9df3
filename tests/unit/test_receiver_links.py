"""The receiver with two links: one is heard, the other only listened to, and neither is lost with the other."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from ingestd.core import wire
from ingestd.core.wire import Media, MeetingJoined
from ingestd.errors import ChannelClosed
from ingestd.net.channel import Channel
from ingestd.net.stream import Stream
from ingestd.threads.mailbox import LinkEnded, LinkJoined, RoomEvent
from tests.rig.memory_ports import ClockedSink
from tests.rig.process import wait_until
from tests.rig.scripted_ports import ScriptedLink, ScriptedSink
from tests.unit.exactly import exactly
from tests.unit.peers import GUARD_S, text
from tests.unit.receiver_case import Case, tone
from tests.unit.threads_case import running

MESSAGE = wire.Message("T", "x", None, None, None, None)
LEFT = wire.ParticipantLeft(wire.Participant("p", None, None))


class Spied(Case):
    """Notes what becomes of the playout; its speaker is full and asks for nothing."""

    def __init__(self) -> None:
        sink = ScriptedSink()
        sink.queue = lambda: sink.BUFFER_SAMPLES
        super().__init__(sink)
        self.done: list[str] = []
        self.restarts = 0
        for name in ("push", "clear", "splice"):
            self._spy(name)
        restart = self.thread.drift.restart

        def restarted() -> None:
            self.restarts += 1
            restart()

        self.thread.drift.restart = restarted  # type: ignore[method-assign]

    def _spy(self, name: str) -> None:
        inner = getattr(self.playout, name)

        def noted(*arguments: bytes) -> None:
            inner(*arguments)
            self.done.append(f"push {arguments[0][0]}" if arguments else name)

        setattr(self.playout, name, noted)

    def wait_done(self, *expected: str) -> None:
        wait_until(lambda: len(self.done) >= len(expected), GUARD_S, f"{expected}")
        assert self.done == list(expected)
        self.done.clear()

    def wait_users(self, *expected: tuple[ScriptedLink, int]) -> None:
        wait_until(lambda: all(link.users == users for link, users in expected), GUARD_S, "the receiver")


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A speaker that asks for nothing for seconds is not given up."""
    monkeypatch.setattr("ingestd.threads.speaker._STUCK_AFTER_S", 1000.0)


@pytest.fixture
def case() -> Iterator[Spied]:
    made = Spied()
    with running(made.thread, made.post):
        yield made


@pytest.fixture
def links() -> list[ScriptedLink]:
    return [ScriptedLink(epoch) for epoch in (1, 2, 3)]


def test_a_renewal_goes_on_without_clearing_and_each_frame_is_heard_by_one(
    case: Spied, links: list[ScriptedLink]
) -> None:
    first, second, third = links
    case.thread.link.offer(first)
    case.wait_done("clear")
    first.arrive(Media(tone(1)))
    case.wait_done("push 1")
    case.thread.link.offer(first, second)
    case.wait_users((first, 2), (second, 2))
    second.arrive(Media(tone(2)), Media(tone(3)))
    wait_until(lambda: case.thread.beside_frames == 2, GUARD_S, "what nobody is to hear")
    first.arrive(Media(tone(4)))
    case.wait_done("push 4")
    case.thread.link.offer(second, first)
    case.wait_done("splice")
    first.arrive(Media(tone(5)))
    wait_until(lambda: case.thread.beside_frames == 3, GUARD_S, "what nobody is to hear")
    second.arrive(Media(tone(6)))
    case.wait_done("push 6")
    first.break_off(ChannelClosed("bye", 1000))
    case.wait_users((first, 1), (second, 2))
    case.thread.link.offer(second)
    second.arrive(Media(tone(7)))
    case.wait_done("push 7")
    assert (case.thread.frames, case.restarts) == (4, 2)
    case.thread.link.offer(third)
    case.wait_done("clear")
    assert case.playout.delay_ms == 0
    assert case.post.of(LinkEnded)[0].epoch == 1  # type: ignore[union-attr]
    assert len(case.post.of(LinkEnded)) == 1


def test_a_hundred_swaps_are_a_hundred_splices(case: Spied, links: list[ScriptedLink]) -> None:
    case.thread.link.offer(links[0], links[1])
    case.wait_done("clear")
    for swap in range(100):
        carrying, beside = links[(swap + 1) % 2], links[swap % 2]
        case.thread.link.offer(carrying, beside)
        case.wait_done("splice")
        beside.arrive(Media(tone(1)))
        carrying.arrive(Media(tone(2)))
        case.wait_done("push 2")
    wait_until(lambda: case.thread.beside_frames == 100, GUARD_S, "the other's")
    assert case.thread.frames == 100
    assert [link.users for link in links[:2]] == [2, 2]


def test_events_of_both_are_told_with_their_epoch(case: Spied, links: list[ScriptedLink]) -> None:
    case.thread.link.offer(*links[:2])
    links[0].arrive(MESSAGE)
    wait_until(lambda: case.post.of(RoomEvent), GUARD_S, "the first")
    links[1].arrive(Media(tone(1)), LEFT)
    wait_until(lambda: len(case.post.of(RoomEvent)) == 2, GUARD_S, "the second")
    assert exactly(case.post.of(RoomEvent)) == exactly([RoomEvent(1, MESSAGE), RoomEvent(2, LEFT)])
    assert case.thread.frames == 0


@pytest.mark.parametrize("event", [MeetingJoined(None, None), Media(tone(1))])
def test_that_a_link_joined_is_told_once_before_its_events(
    case: Spied, links: list[ScriptedLink], event: wire.Event
) -> None:
    first, second = links[:2]
    case.thread.link.offer(first, second)
    second.arrive(LEFT)
    wait_until(lambda: case.post.of(RoomEvent), GUARD_S, "an event that tells nothing of it")
    assert case.post.of(LinkJoined) == []
    second.arrive(event, MESSAGE)
    wait_until(lambda: len(case.post.of(RoomEvent)) > 1, GUARD_S, "the events")
    case.thread.link.offer(second, first)
    second.arrive(event, LEFT)
    first.arrive(event, LEFT)
    wait_until(lambda: case.post.of(RoomEvent).count(RoomEvent(1, LEFT)), GUARD_S, "the first's")
    wait_until(lambda: case.post.of(RoomEvent).count(RoomEvent(2, LEFT)) == 2, GUARD_S, "the second's")
    told = [mail for mail in case.post.all() if isinstance(mail, LinkJoined | RoomEvent)]
    assert exactly([mail for mail in told if isinstance(mail, LinkJoined)]) == exactly([LinkJoined(2), LinkJoined(1)])
    assert exactly(told[1]) == exactly(LinkJoined(2))


@pytest.mark.parametrize("part", [0, 1])
def test_the_end_of_one_is_told_and_keeps_the_other(case: Spied, links: list[ScriptedLink], part: int) -> None:
    ended, kept = links[part], links[1 - part]
    case.thread.link.offer(*links[:2])
    case.wait_users((ended, 2), (kept, 2))
    case.wait_done("clear")
    error = ChannelClosed("cut")
    ended.arrive(MESSAGE)
    ended.break_off(error)
    case.wait_users((ended, 1), (kept, 2))
    kept.arrive(Media(tone(1)), LEFT)
    wait_until(lambda: len(case.post.of(RoomEvent)) == 2, GUARD_S, "the other's")
    told = [mail for mail in case.post.all() if isinstance(mail, LinkEnded | RoomEvent)]
    expected = [RoomEvent(ended.epoch, MESSAGE), LinkEnded(ended.epoch, error), RoomEvent(kept.epoch, LEFT)]
    assert exactly(told) == exactly(expected)
    assert (case.thread.frames, case.thread.beside_frames) == ((0, 1) if part == 0 else (1, 0))


def test_where_the_carrying_link_breaks_what_is_queued_is_heard_until_the_other_takes_over(
    case: Spied, links: list[ScriptedLink]
) -> None:
    first, second, third = links
    case.thread.link.offer(first, second)
    first.arrive(Media(tone(1)))
    case.wait_done("clear", "push 1")
    first.break_off(ChannelClosed("cut"))
    case.wait_users((first, 1), (second, 2))
    case.thread.link.offer(second)
    case.wait_done("splice")
    assert case.playout.delay_ms == 20
    second.break_off(ChannelClosed("cut"))
    case.wait_done("clear")
    case.thread.link.offer(third)
    case.wait_done("clear")


def test_both_links_are_left_on_the_way_out(links: list[ScriptedLink]) -> None:
    case = Spied()
    with running(case.thread, case.post):
        case.thread.link.offer(*links[:2])
        case.wait_users((links[0], 2), (links[1], 2))
    assert [link.users for link in links[:2]] == [1, 1]


class Brimful(ScriptedLink):
    """After its first frame it is over, and its descriptor is silent."""

    def has_buffered(self) -> bool:
        return self._broken is not None

    def receive(self) -> list[wire.Event]:
        if self._broken is not None:
            raise self._broken
        events = super().receive()
        self._broken = ChannelClosed("bye", 1000) if events else None
        return events


def test_what_poll_cannot_see_is_found_although_a_lone_frame_hides_it(case: Spied) -> None:
    link = Brimful(1)
    case.thread.link.offer(link)
    case.wait_users((link, 2))
    link.arrive(Media(tone(1)))
    case.wait_users((link, 1))
    assert case.thread.frames == 1
    assert case.post.of(LinkEnded)


@pytest.mark.parametrize("dead", [0, 1])
@pytest.mark.parametrize("how", ["cut", "shut down", "closed"])
def test_a_dead_link_does_not_make_it_spin_nor_the_other_wait(dead: int, how: str) -> None:
    case = Case(ClockedSink())
    pairs = [socket.socketpair() for _ in range(2)]
    channels = [Channel(Stream(near), epoch, None) for epoch, (near, _) in enumerate(pairs)]
    feed, rounds = case.thread.speaker.feed, [0]

    def counted(now: float) -> float:
        rounds[0] += 1
        return feed(now)

    case.thread.speaker.feed = counted  # type: ignore[method-assign]
    with running(case.thread, case.post):
        case.thread.link.offer(*channels)
        for epoch, (_, far) in enumerate(pairs):
            far.sendall(text('{"event":"participant-left"}'))
            wait_until(lambda n=epoch: len(case.post.of(RoomEvent)) == n + 1, GUARD_S, "the receiver")  # type: ignore[misc]
        if how == "shut down":
            channels[dead].shutdown()
        elif how == "cut":
            pairs[dead][1].close()
        else:
            pairs[dead][1].sendall(b"\x88\x02\x03\xe8")
        wait_until(lambda: case.post.of(LinkEnded), GUARD_S, "the end")
        begun_s, before = time.monotonic(), rounds[0]
        wait_until(lambda: time.monotonic() - begun_s > 0.3, GUARD_S, "a while", every=0.1)
        assert rounds[0] - before <= (time.monotonic() - begun_s) / 0.005 + 5, "a round lasts 5 ms at least"
        pairs[1 - dead][1].sendall(text('{"event":"participant-left"}'))
        wait_until(lambda: len(case.post.of(RoomEvent)) == 3, GUARD_S, "the other's")
        assert [mail.epoch for mail in case.post.of(LinkEnded)] == [dead]  # type: ignore[union-attr]
    for channel, (_, far) in zip(channels, pairs, strict=True):
        channel.leave()
        assert channel.fileno() == -1
        far.close()
