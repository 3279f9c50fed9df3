"""The sender thread: what is now goes out, what is too old is counted, and every link is left once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from ingestd.core.wire import FRAME_S, FRAME_SAMPLES, SAMPLE_RATE_HZ, SILENCE
from ingestd.errors import ChannelClosed
from ingestd.threads.mailbox import LinkEnded
from tests.rig.memory_ports import numbered_frame
from tests.rig.process import wait_until
from tests.rig.scripted_ports import ScriptedLink
from tests.unit.peers import GUARD_S
from tests.unit.sender_case import Case, Talker, is_whole, numbers, wait_sent
from tests.unit.threads_case import running


@pytest.fixture
def case() -> Iterator[Case]:
    made = Case()
    with running(made.thread, made.post):
        yield made


def finish(case: Case) -> None:
    """Until nothing waits and the sender has ended: what it counts and what it sent belong together."""
    wait_until(lambda: case.thread.backlog_ms == 0, GUARD_S, "the last frames")
    case.thread.stop()
    assert case.thread.join(GUARD_S)


def kept_up(case: Case, talker: Talker, frames: int, backlog_ms: float) -> int:
    """The talker's last frame, once there are more than so many and no more than that wait; 0 until then."""
    number = talker.number  # before the backlog: what comes in between only adds to that
    return number if number > frames and case.thread.backlog_ms <= backlog_ms else 0


def lost(case: Case, talker: Talker, link: ScriptedLink) -> int:
    """How many of the talker's frames the link never got, of which each is counted. Ends the sender."""
    finish(case)
    real = [number for number in numbers(link.media) if number]
    assert real == sorted(set(real))
    unheard = talker.number - len(real)
    before = real[0] - 1  # a microphone begins with its newest frame: none, unless this machine stood still
    assert unheard - before <= case.thread.dropped_frames <= unheard
    return unheard


def test_frames_go_out_whole_in_order_and_each_once(case: Case) -> None:
    with Talker(case.mic):
        link = case.offer()
        wait_until(lambda: numbers(link.media)[-1:] > [20], GUARD_S, "twenty frames of the microphone")
        sent = [number for number in numbers(link.media) if number]
        told = (len(link.media), link.others)
    assert is_whole(case, sent)
    assert told[1] >= told[0] - 1, "and after each whatever else is due"
    assert case.thread.held_since_s is None


def test_the_first_frame_on_a_new_link_is_the_newest(case: Case) -> None:
    with Talker(case.mic) as talker:
        before = wait_until(lambda: kept_up(case, talker, 40, 40), GUARD_S, "most of a second")
        assert case.thread.dropped_frames == 0, "nobody was there to hear it"
        link = case.offer()
        wait_until(lambda: any(numbers(link.media)), GUARD_S, "the microphone")
        after = talker.number + 1  # which counts a frame once it is in the ring
        first = next(filter(None, numbers(link.media)))
        assert before - 2 <= first <= after
        dropped = case.thread.dropped_frames
        assert dropped <= talker.number + 1 - (before - 2), "nor later, but for a stall of this machine"


def test_without_a_microphone_silence_keeps_the_cadence() -> None:
    case = Case()
    begun_s = time.monotonic()  # what a stall at the start has held back counts from here too
    with running(case.thread, case.post):
        link = case.offer()
        wait_sent(link, 25)
        assert set(link.media) == {SILENCE}
        assert len(link.media) - 2 <= (time.monotonic() - begun_s) / FRAME_S, "and no burst"
        wait_until(lambda: case.thread.silence_frames == case.thread.frames >= 25, GUARD_S, "the counters")
    assert case.thread.latency.max_ms == 0.0, "silence has no age"


def test_what_is_in_the_ring_of_a_lost_microphone_does_not_go_out(case: Case) -> None:
    assert case.mic.lost
    for number in range(1, 30):
        case.mic.clock.observe(time.monotonic(), case.mic.ring.write(numbered_frame(number)))
    link = case.offer()
    wait_sent(link, 5)
    assert set(link.media) == {SILENCE}


def test_a_microphone_that_is_lost_becomes_silence_and_comes_back(case: Case) -> None:
    link = case.offer()
    with Talker(case.mic) as first:
        wait_until(lambda: any(numbers(link.media)), GUARD_S, "the microphone")
    case.mic.lost = True
    wait_until(lambda: link.media[-1] == SILENCE, GUARD_S, "silence")
    frames = len(link.media)
    case.mic.clock.relock()
    with Talker(case.mic) as second:
        wait_until(lambda: any(numbers(link.media[frames:])), GUARD_S, "the microphone again")
    finish(case)
    unheard = first.number + second.number - len([number for number in numbers(link.media) if number])
    assert case.thread.dropped_frames <= unheard, "none but by a stall of this machine"


def test_a_held_link_keeps_what_is_now_and_counts_what_is_lost(case: Case) -> None:
    link = case.offer()
    with Talker(case.mic) as talker:
        wait_until(lambda: any(numbers(link.media)), GUARD_S, "the microphone")
        link.holding = True
        held = wait_until(lambda: case.thread.held_since_s, GUARD_S, "word of it")
        assert held is not None
        assert held <= time.monotonic()
        sent = len(link.media)
        others = link.others
        begun = talker.number
        wait_until(lambda: talker.number > begun + 40, GUARD_S, "most of a second")
        wait_until(lambda: link.others > others, GUARD_S, "pings and pongs to go on")
        assert case.thread.held_since_s == held, "since it began"
        newest = wait_until(lambda: kept_up(case, talker, begun + 40, 60), GUARD_S, "only the newest to be kept")
        link.holding = False
        wait_sent(link, sent + 6)
        wait_until(lambda: case.thread.held_since_s is None, GUARD_S, "word of its end")
    assert next(filter(None, numbers(link.media)[sent:])) >= newest - 3, "the room hears now"
    assert lost(case, talker, link) > 30


def test_what_the_pacer_drops_after_a_stall_of_this_thread_counts(case: Case) -> None:
    """The link blocks the sender itself for half a second, which no link should."""
    link = case.offer()
    with Talker(case.mic) as talker:
        wait_until(lambda: any(numbers(link.media)), GUARD_S, "the microphone")
        blocked = threading.Event()
        send = link.send_media

        def slow(pcm: bytes) -> bool:
            if not blocked.is_set():
                blocked.set()
                time.sleep(0.5)
            return send(pcm)

        link.send_media = slow  # type: ignore[method-assign]
        assert blocked.wait(GUARD_S)
        wait_sent(link, len(link.media) + 12)
    assert lost(case, talker, link) >= 10


def test_what_the_pacer_drops_before_it_sleeps_counts(case: Case) -> None:
    """A stream that breaks over and over brings frames of which a part is padding: more than there is time for."""
    pacer = case.thread._pacer
    link = case.offer()
    wait_sent(link, 1)  # before there is a microphone: whatever is dropped counts
    with Talker(case.mic) as talker:
        wait_until(lambda: any(numbers(link.media)), GUARD_S, "the microphone")
        before = talker.number
    start_s = time.monotonic()
    for number in range(1, 41):
        time.sleep(max(0.0, start_s + number * FRAME_S / 2 - time.monotonic()))
        case.mic.clock.relock()
        case.mic.clock.observe(time.monotonic(), case.mic.ring.write(numbered_frame(before + number)))
    assert wait_until(lambda: pacer.dropped_frames >= 5, GUARD_S, "some drops")
    case.thread.stop()
    assert case.thread.join(GUARD_S)
    assert case.thread.dropped_frames == pacer.dropped_frames


@pytest.mark.parametrize("holding", [False, True])
def test_the_end_of_a_link_is_told_once_and_the_link_left(case: Case, holding: bool) -> None:
    link = case.offer(epoch=7)
    link.holding = holding
    wait_until(lambda: link.others > 0, GUARD_S, "the sender at work")
    error = ChannelClosed("cut")
    link.break_off(error)
    wait_until(lambda: link.users == 1, GUARD_S, "the sender to leave")
    again = case.offer(epoch=8)
    wait_sent(again, 5)
    assert case.post.of(LinkEnded) == [LinkEnded(7, error)]
    assert (link.users, again.users) == (1, 2)


def test_a_link_that_is_taken_away_is_left(case: Case) -> None:
    link = case.offer()
    wait_sent(link, 1)
    link.holding = True
    wait_until(lambda: case.thread.held_since_s, GUARD_S, "the hold")
    case.thread.link.offer(None)
    wait_until(lambda: link.users == 1, GUARD_S, "the sender to leave")
    wait_until(lambda: case.thread.held_since_s is None, GUARD_S, "the end of the hold")
    assert case.post.all() == []


def test_the_thread_leaves_its_link_on_the_way_out() -> None:
    case = Case()
    with running(case.thread, case.post):
        link = case.offer()
        wait_sent(link, 1)
        assert link.users == 2
    assert link.users == 1


def test_latency_is_counted_from_the_frames_last_sample(case: Case) -> None:
    begun_s = time.monotonic()
    with Talker(case.mic):
        link = case.offer()
        wait_until(lambda: case.thread.frames - case.thread.silence_frames > 20, GUARD_S, "frames")
    finish(case)
    assert 0 < case.thread.latency.max_ms < (time.monotonic() - begun_s) * 1000.0, "of a stall, no more than it took"
    assert link.media_sent == case.thread.frames


def test_the_backlog_is_what_was_captured_and_has_not_gone_out() -> None:
    case = Case()
    assert case.thread.backlog_ms == 0
    case.mic.ring.write(bytes(2 * FRAME_SAMPLES * 3))
    assert case.thread.backlog_ms == 3 * FRAME_SAMPLES * 1000 / SAMPLE_RATE_HZ
