"""How links are handed to a busy thread: each joined once, left once, whatever the supervisor does meanwhile."""

from __future__ import annotations

import gc
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.net.channel import Channel
from ingestd.net.stream import Stream
from ingestd.threads.link_slot import Links, LinkSlot
from tests.rig.scripted_ports import ScriptedLink

NONE = Links()


@pytest.fixture
def channels() -> Iterator[list[Channel]]:
    """Three open channels, each with its maker as the only user."""
    pairs = [socket.socketpair() for _ in range(3)]
    made = [Channel(Stream(near), epoch, None) for epoch, (near, _) in enumerate(pairs)]
    yield made
    for near, far in pairs:
        near.close()
        far.close()


def is_open(channel: Channel) -> bool:
    return channel.fileno() >= 0


def test_nothing_offered_is_nothing_used(channels: list[Channel]) -> None:
    slot = LinkSlot()
    assert slot.current() == NONE
    slot.drop(channels[0])
    slot.drop_all()
    slot.offer(None)
    assert slot.current() == NONE
    assert is_open(channels[0])


def test_a_link_stays_open_until_maker_and_user_have_left(channels: list[Channel]) -> None:
    slot = LinkSlot()
    slot.offer(channels[0])
    links = slot.current()
    assert links == (channels[0], None)
    assert slot.current() is links, "the same object until something changes"
    channels[0].leave()
    assert is_open(channels[0])
    slot.drop(channels[0])
    assert not is_open(channels[0])


def test_a_new_link_takes_the_place_of_the_old_one(channels: list[Channel]) -> None:
    slot = LinkSlot()
    slot.offer(channels[0])
    slot.current()
    channels[0].leave()
    slot.offer(channels[1])
    assert is_open(channels[0]), "the thread has not looked yet"
    assert slot.current() == (channels[1], None)
    assert not is_open(channels[0])


@pytest.mark.parametrize("part", [0, 1])
def test_a_link_that_the_thread_dropped_is_never_taken_again(channels: list[Channel], part: int) -> None:
    slot = LinkSlot()
    slot.offer(channels[0], channels[1])
    slot.current()
    slot.drop(channels[part])
    kept = (None, channels[1]) if part == 0 else (channels[0], None)
    assert slot.current() == kept
    slot.drop(channels[part])
    assert is_open(channels[part]), "the maker has not left"
    slot.offer(channels[1], channels[0])
    assert slot.current() == kept[::-1], "nor with another part"
    slot.offer(None)
    assert slot.current() == NONE
    slot.offer(channels[part])
    assert slot.current() == NONE, "nor after a while"
    slot.offer(channels[2])
    assert slot.current() == (channels[2], None)


def test_a_link_that_was_withdrawn_before_the_thread_looked_is_never_used(channels: list[Channel]) -> None:
    slot = LinkSlot()
    slot.offer(channels[0])
    slot.offer(channels[1], channels[0])
    slot.offer(None)
    assert slot.current() == NONE
    for channel in channels[:2]:
        channel.leave()
        assert not is_open(channel)


@pytest.mark.parametrize("part", [0, 1])
def test_a_link_that_is_closed_already_is_not_used(channels: list[Channel], part: int) -> None:
    slot = LinkSlot()
    channels[0].leave()
    slot.offer(*((channels[0], channels[1]) if part == 0 else (channels[1], channels[0])))
    assert slot.current() == ((None, channels[1]) if part == 0 else (channels[1], None))
    slot.drop_all()
    slot.offer(channels[2])
    assert slot.current() == (channels[2], None)


def test_a_renewal_joins_and_leaves_each_link_once() -> None:
    slot = LinkSlot()
    first, second = ScriptedLink(1), ScriptedLink(2)
    joins = {first: 0, second: 0}
    for link in joins:
        join = link.join

        def counted(link: ScriptedLink = link, join: object = join) -> bool:
            joins[link] += 1
            return join()  # type: ignore[operator, no-any-return]

        link.join = counted  # type: ignore[method-assign]
    for offer, users in [
        ((first, None), (2, 1)),
        ((first, second), (2, 2)),
        ((second, first), (2, 2)),
        ((second, None), (1, 2)),
    ]:
        slot.offer(*offer)
        assert slot.current() == offer
        assert (first.users, second.users) == users
    assert list(joins.values()) == [1, 1]


def test_what_is_over_is_not_kept_in_memory() -> None:
    slot = LinkSlot()
    for epoch in range(50):
        link = ScriptedLink(epoch)
        slot.offer(link)
        slot.current()
        slot.drop(link)
        link.leave()
    slot.offer(None)
    slot.current()
    del link
    gc.collect()
    assert len(slot._over) == 0


STEPS = st.one_of(
    st.tuples(st.just("offer"), st.integers(-1, 3), st.integers(-1, 3)),
    st.tuples(st.sampled_from(["look", "drop", "close"]), st.integers(0, 3), st.just(0)),
)


@given(st.lists(STEPS, max_size=40))
def test_whatever_is_offered_and_dropped_every_link_is_left_as_often_as_joined(
    steps: list[tuple[str, int, int]],
) -> None:
    slot = LinkSlot()
    links = [ScriptedLink(epoch) for epoch in range(4)]
    dropped: set[ScriptedLink] = set()
    gone: set[ScriptedLink] = set()
    for step, one, other in steps:
        if step == "offer" and (one != other or one < 0):
            slot.offer(None if one < 0 else links[one], None if other < 0 else links[other])
        elif step == "look":
            used = slot.current()
            assert not dropped.intersection(used)
            assert all(link.users - (link not in gone) == (link in used) for link in links)
        elif step == "drop":
            if links[one] in slot.using:
                dropped.add(links[one])
            slot.drop(links[one])
        elif step == "close" and links[one] not in gone:
            gone.add(links[one])
            links[one].leave()
    slot.drop_all()
    for link in links:
        assert link.users == (link not in gone)
        if link.users:
            link.leave()
