"""The sender with two links: every frame goes to one of them, and the other is kept alive or says goodbye."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator

import pytest

from ingestd.core import wire
from ingestd.core.wire import FRAME_S
from ingestd.errors import ChannelClosed
from ingestd.net.channel import Channel
from ingestd.net.stream import Stream
from ingestd.threads.mailbox import LinkEnded
from tests.rig.process import wait_until
from tests.rig.scripted_ports import ScriptedLink
from tests.unit.peers import GUARD_S, Peer, Task
from tests.unit.sender_case import Case, Talker, is_whole, numbers, wait_sent
from tests.unit.threads_case import running

TEXT, CLOSE, PING = 1, 8, 9


@pytest.fixture
def case() -> Iterator[Case]:
    made = Case()
    with running(made.thread, made.post):
        yield made


def all_numbers(*links: ScriptedLink) -> list[int]:
    """What went to the links together, in the order of the microphone."""
    return sorted(number for link in links for number in numbers(link.media) if number)


def decoded(text: bytes) -> wire.Event | None:
    return wire.decode(text) if b'"media"' in text else None


def test_frames_go_out_once_over_a_hundred_swaps(case: Case) -> None:
    links = [ScriptedLink(epoch) for epoch in (1, 2)]
    with Talker(case.mic):
        case.thread.link.offer(*links)
        wait_until(lambda: any(numbers(links[0].media)), GUARD_S, "the microphone")
        for swap in range(100):
            carrying, beside = links[(swap + 1) % 2], links[swap % 2]
            case.thread.link.offer(carrying, beside)
            frames = len(carrying.media)
            wait_sent(carrying, frames + 1)
            if swap % 3 == 0:
                time.sleep(0.007)  # somewhere else between two frames
    sent = all_numbers(*links)
    assert sum(len(link.media) for link in links) >= 100, "of sound, or of silence after a stall of this machine"
    assert is_whole(case, sent)
    assert [link.users for link in links] == [2, 2]
    assert case.post.all() == []


def test_the_link_beside_gets_its_due_and_no_media(case: Case) -> None:
    first, second = ScriptedLink(1), ScriptedLink(2)
    case.thread.link.offer(first, second)
    wait_sent(first, 1)
    begun_s, before = time.monotonic(), second.besides
    wait_until(lambda: second.besides >= before + 25, GUARD_S, "25 rounds")
    assert second.besides - before <= (time.monotonic() - begun_s) / FRAME_S * 2 + 2, "and no more often than needed"
    assert (second.media, second.others, first.besides) == ([], 0, 0)


@pytest.mark.parametrize("state", ["held", "alone"])
def test_the_link_beside_gets_its_due_while_no_media_goes_out(case: Case, state: str) -> None:
    first, second = ScriptedLink(1), ScriptedLink(2)
    first.holding = state == "held"
    case.thread.link.offer(first if state == "held" else None, second)
    wait_until(lambda: second.besides >= 10, GUARD_S, "some rounds")
    assert second.media == []


def test_a_hold_of_the_first_link_is_none_of_the_second(case: Case) -> None:
    first, second = ScriptedLink(1), ScriptedLink(2)
    first.holding = second.holding = True
    case.thread.link.offer(first, second)
    held_s = wait_until(lambda: case.thread.held_since_s, GUARD_S, "the hold")
    assert held_s is not None
    case.thread.link.offer(second, first)
    wait_until(lambda: (case.thread.held_since_s or held_s) > held_s, GUARD_S, "a hold that begins anew")


@pytest.mark.parametrize("part", ["carrying", "beside"])
def test_the_end_of_one_keeps_the_other(case: Case, part: str) -> None:
    links = {"carrying": ScriptedLink(1), "beside": ScriptedLink(2)}
    ended = links.pop(part)
    (kept,) = links.values()
    case.thread.link.offer(*((ended, kept) if part == "carrying" else (kept, ended)))
    wait_until(lambda: ended.users == kept.users == 2, GUARD_S, "the sender")
    error = ChannelClosed("cut")
    ended.break_off(error)
    wait_until(lambda: ended.users == 1, GUARD_S, "the sender to leave")
    before = (len(kept.media), kept.besides)
    wait_until(lambda: (len(kept.media) + kept.besides) > sum(before) + 5, GUARD_S, "the other to go on")
    assert kept.users == 2
    assert case.post.of(LinkEnded) == [LinkEnded(ended.epoch, error)]


def test_a_frame_that_the_broken_link_did_not_take_goes_out_on_the_next(case: Case) -> None:
    with Talker(case.mic):
        links = [ScriptedLink(epoch) for epoch in range(10)]
        case.thread.link.offer(links[0], links[1])
        wait_until(lambda: any(numbers(links[0].media)), GUARD_S, "the microphone")
        for first, second, third in zip(links, links[1:], [*links[2:], None], strict=False):
            first.break_off(ChannelClosed("cut"))
            wait_until(lambda first=first: first.users == 1, GUARD_S, "the sender to leave")  # type: ignore[misc]
            case.thread.link.offer(second, third)
            wait_sent(second, 3)
    assert is_whole(case, all_numbers(*links))


def test_both_links_are_left_on_the_way_out() -> None:
    case = Case()
    first, second = ScriptedLink(1), ScriptedLink(2)
    with running(case.thread, case.post):
        case.thread.link.offer(first, second)
        wait_until(lambda: first.users == second.users == 2, GUARD_S, "the sender")
    assert (first.users, second.users) == (1, 1)


def test_renewed_thirty_times_no_frame_is_lost_nor_said_twice_and_every_link_says_goodbye(case: Case) -> None:
    """Real channels, renewed as the supervisor does: offered beside, swapped, hung up, and withdrawn at last."""
    peers: list[Peer] = []
    heard: list[Task[list[tuple[int, bytes]]]] = []
    old: Channel | None = None
    with Talker(case.mic):
        for epoch in range(31):
            near, far = socket.socketpair()
            new = Channel(Stream(near), epoch, None, ["T"])
            peers.append(Peer(far))
            heard.append(Task(peers[-1].frames))
            case.thread.link.offer(old or new, new if old else None)
            if old is not None:
                assert old.post(wire.encode_message("T", epoch))
                frames = old.media_sent
                wait_until(lambda old=old, due=frames + 2: old.media_sent >= due, GUARD_S, "frames")  # type: ignore[misc]
                wait_until(lambda old=old: old.posts_sent, GUARD_S, "the message")  # type: ignore[misc]  # behind a frame
                case.thread.link.offer(new, old)
                old.hang_up()
                wait_until(lambda new=new: new.media_sent, GUARD_S, "frames on the new one")  # type: ignore[misc]
                old.leave()
                case.thread.link.offer(new)
            old = new
        wait_until(lambda: new.media_sent > 3, GUARD_S, "the last frames")
        new.hang_up()
    case.thread.link.offer(None)
    new.leave()
    media: list[bytes] = []
    for number, task in enumerate(heard):
        frames_heard = task.result()
        assert frames_heard[-1] == (CLOSE, struct.pack(">H", 1000))
        texts = [payload for opcode, payload in frames_heard if opcode == TEXT]
        assert texts[-1] == wire.STOP
        assert wire.encode_subscribe("T") in texts
        assert number == 30 or wire.encode_message("T", number + 1) in texts
        assert any(opcode == PING for opcode, _ in frames_heard)
        media += [event.pcm for event in map(decoded, texts) if isinstance(event, wire.Media)]
        peers[number].close()
    sent = [number for number in numbers(media) if number]
    assert is_whole(case, sent), "in order too, as each link says its last before the next one's first"
    assert len(media) >= 90, "of sound, or of silence after a stall of this machine"
    assert case.post.of(LinkEnded) == []


def test_a_link_that_is_hung_up_between_the_look_and_the_frame_still_takes_it(case: Case) -> None:
    class Late(Channel):
        """Is swapped and hung up at the worst moment."""

        def send_media(self, pcm: bytes) -> bool:
            if self.media_sent == 5:
                case.thread.link.offer(new, self)
                self.hang_up()
            return super().send_media(pcm)

    (near, far), (next_near, next_far) = socket.socketpair(), socket.socketpair()
    old, new = Late(Stream(near), 1, None), Channel(Stream(next_near), 2, None)
    hearing = [Task(Peer(sock).frames) for sock in (far, next_far)]
    with Talker(case.mic) as talker:
        wait_until(lambda: talker.number > 2, GUARD_S, "the microphone")
        case.thread.link.offer(old, new)
        wait_until(lambda: new.media_sent > 5, GUARD_S, "frames on the new one")
    case.thread.link.offer(None)
    for link in (old, new):
        link.leave()
    heard = [payload for task in hearing for opcode, payload in task.result() if opcode == TEXT]
    media = [event.pcm for event in map(decoded, heard) if isinstance(event, wire.Media)]
    assert is_whole(case, [number for number in numbers(media) if number])
    assert heard.index(wire.STOP) == old.media_sent == 6
    far.close()
    next_far.close()
