"""How a link is handed to a busy thread: joined once, left once, whatever the supervisor does meanwhile."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from ingestd.net.channel import Channel
from ingestd.net.stream import Stream
from ingestd.threads.link_slot import LinkSlot


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


def test_nothing_offered_is_nothing_used() -> None:
    slot = LinkSlot()
    assert slot.current() is None
    slot.drop()
    slot.offer(None)
    assert slot.current() is None


def test_a_link_stays_open_until_maker_and_user_have_left(channels: list[Channel]) -> None:
    slot = LinkSlot()
    slot.offer(channels[0])
    assert slot.current() is channels[0]
    assert slot.current() is channels[0]
    channels[0].leave()
    assert is_open(channels[0])
    slot.drop()
    assert not is_open(channels[0])


def test_a_new_link_takes_the_place_of_the_old_one(channels: list[Channel]) -> None:
    slot = LinkSlot()
    slot.offer(channels[0])
    slot.current()
    channels[0].leave()
    slot.offer(channels[1])
    assert is_open(channels[0]), "the thread has not looked yet"
    assert slot.current() is channels[1]
    assert not is_open(channels[0])


def test_a_link_that_the_thread_dropped_is_not_taken_again(channels: list[Channel]) -> None:
    slot = LinkSlot()
    slot.offer(channels[0])
    slot.current()
    slot.drop()
    assert slot.current() is None
    slot.drop()
    assert is_open(channels[0]), "the maker has not left"
    slot.offer(channels[1])
    assert slot.current() is channels[1]


def test_a_link_that_was_withdrawn_before_the_thread_looked_is_never_used(channels: list[Channel]) -> None:
    slot = LinkSlot()
    slot.offer(channels[0])
    slot.offer(channels[1])
    slot.offer(None)
    assert slot.current() is None
    for channel in channels[:2]:
        channel.leave()
        assert not is_open(channel)


def test_a_link_that_is_closed_already_is_not_used(channels: list[Channel]) -> None:
    slot = LinkSlot()
    slot.offer(channels[0])
    channels[0].leave()
    assert slot.current() is None
    slot.offer(channels[1])
    assert slot.current() is channels[1]
