"""What local programs can ask for."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ingestd.control.methods import methods
from ingestd.control.protocol import INVALID_PARAMS, UNAVAILABLE, RpcError
from ingestd.core import wire
from ingestd.core.topics import MAX_TOPICS, TopicSet
from ingestd.net.channel import MAX_QUEUED_MESSAGES, Channel
from ingestd.net.stream import Stream
from ingestd.threads.connections import Connections
from ingestd.threads.link_slot import LinkSlot


@pytest.fixture
def channel() -> Iterator[Channel]:
    near, far = socket.socketpair()
    yield Channel(Stream(near), 1, None)
    near.close()
    far.close()


def line(channel: Channel | None) -> Connections:
    """The connections of a device that has this one, or none."""
    connections = Connections(LinkSlot(), LinkSlot(), 1.0, time.monotonic)
    if channel is not None:
        connections.adopt(channel)
    return connections


def fault(channel: Channel | None, method: str, **params: Any) -> tuple[int, str]:
    with pytest.raises(RpcError) as raised:
        methods(dict, line(channel), TopicSet(()), lambda: 100)[method](params)
    return raised.value.code, str(raised.value)


def test_what_is_published_goes_to_the_room(channel: Channel) -> None:
    publish = methods(dict, line(channel), TopicSet(()), lambda: 100)["publish"]
    for data in ("grüße", {"a": [1]}, None, 7, "", "x" * 100, "ä" * 50):
        assert publish({"topic": "T", "data": data}) is True
        assert channel._messages[-1] == wire.encode_message("T", data)


def test_a_subscription_goes_to_the_room_and_its_end_does_not(channel: Channel) -> None:
    topics = TopicSet(["CHAT"])
    served = methods(dict, line(channel), topics, lambda: 100)
    assert served["subscribe"]({"topic": "T"})
    assert topics.all() == ("CHAT", "T")
    assert list(channel._messages) == [wire.encode_subscribe("T")]
    assert served["unsubscribe"]({"topic": "T"})
    assert len(channel._messages) == 1, "others may still listen"


@pytest.mark.parametrize("method", ["publish", "subscribe", "unsubscribe"])
@pytest.mark.parametrize("topic", [None, 7, "", "x" * 129, ["T"], "\ud800", "T\udfff"])
def test_a_topic_that_cannot_be_is_refused(method: str, topic: Any, channel: Channel) -> None:
    assert fault(channel, method, topic=topic, data="d")[0] == INVALID_PARAMS
    assert fault(channel, method, data="d")[0] == INVALID_PARAMS
    assert not channel._messages


@pytest.mark.parametrize("data", ["x" * 101, "ä" * 51, ["x" * 97], "\ud800", float("nan"), {"a": float("inf")}])
def test_data_that_cannot_be_sent_is_refused(data: Any, channel: Channel) -> None:
    assert fault(channel, "publish", topic="T", data=data)[0] == INVALID_PARAMS
    assert fault(channel, "publish", topic="T") == (INVALID_PARAMS, "data is missing")
    assert not channel._messages


def test_data_nested_beyond_reason_is_refused(channel: Channel) -> None:
    data: Any = "x"
    for _ in range(5000):
        data = [data]
    assert fault(channel, "publish", topic="T", data=data)[0] == INVALID_PARAMS


def test_outside_the_room_and_with_a_full_queue_a_message_is_refused(channel: Channel) -> None:
    assert fault(None, "publish", topic="T", data="d") == (UNAVAILABLE, "the device is not in the room")
    for _ in range(MAX_QUEUED_MESSAGES):
        channel.post(b"x")
    assert fault(channel, "publish", topic="T", data="d") == (UNAVAILABLE, "too many messages are waiting to be sent")


def test_a_subscription_outlives_the_connection(channel: Channel) -> None:
    topics = TopicSet(())
    assert methods(dict, line(None), topics, lambda: 100)["subscribe"]({"topic": "T"})
    for _ in range(MAX_QUEUED_MESSAGES):
        channel.post(b"x")
    assert methods(dict, line(channel), topics, lambda: 100)["subscribe"]({"topic": "U"})
    assert topics.all() == ("T", "U")


def test_the_number_of_topics_is_bounded(channel: Channel) -> None:
    topics = TopicSet(str(n) for n in range(MAX_TOPICS))
    served = methods(dict, line(channel), topics, lambda: 100)
    assert served["subscribe"]({"topic": "0"}), "known already"
    with pytest.raises(RpcError, match=str(MAX_TOPICS)):
        served["subscribe"]({"topic": "one more"})
    assert len(topics.all()) == MAX_TOPICS


def test_status_is_whatever_the_daemon_says() -> None:
    served = methods(lambda: {"state": "waiting"}, line(None), TopicSet(()), lambda: 1)
    assert served["status"]({"ignored": 1}) == {"state": "waiting"}
