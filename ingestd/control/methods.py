"""What the control socket can do, method by method. Control thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ingestd.control.protocol import INVALID_PARAMS, UNAVAILABLE, RpcError
from ingestd.control.server import Method
from ingestd.core import wire
from ingestd.core.topics import MAX_TOPICS, TopicSet
from ingestd.threads.connections import Connections


def methods(
    status: Callable[[], dict[str, Any]],
    connections: Connections,
    topics: TopicSet,
    max_payload_bytes: Callable[[], int],
) -> dict[str, Method]:
    """The methods by name. Each takes the params and raises RpcError."""

    def post(text: bytes) -> bool:
        current = connections.carrying
        if current is None:
            raise RpcError(UNAVAILABLE, "the device is not in the room")
        if current.post(text):
            return True
        # It may have handed the call to another in this moment.
        successor = connections.carrying
        if successor is None or successor is current or not successor.post(text):
            raise RpcError(UNAVAILABLE, "too many messages are waiting to be sent")
        return True

    def publish(params: Mapping[str, Any]) -> bool:
        topic = _topic(params)
        if "data" not in params:
            raise RpcError(INVALID_PARAMS, "data is missing")
        try:
            size = wire.payload_size_bytes(params["data"])
            text = wire.encode_message(topic, params["data"])
        except (ValueError, RecursionError):
            raise RpcError(INVALID_PARAMS, "data can't be written as JSON in UTF-8") from None
        if size > (most := max_payload_bytes()):
            raise RpcError(INVALID_PARAMS, f"data is {size} bytes; {most} is the most")
        return post(text)

    def subscribe(params: Mapping[str, Any]) -> bool:
        topic = _topic(params)
        if not topics.add(topic):
            raise RpcError(UNAVAILABLE, f"{MAX_TOPICS} topics are the most this device listens to")
        # Without a link, or with a full queue, the next connection subscribes to all.
        for link in connections.all():
            link.post(wire.encode_subscribe(topic))
        return True

    def unsubscribe(params: Mapping[str, Any]) -> bool:
        _topic(params)
        return True  # this client hears no more of it; the room's topic stays, for the others

    return {
        "status": lambda _params: status(),
        "publish": publish,
        "subscribe": subscribe,
        "unsubscribe": unsubscribe,
    }


def _topic(params: Mapping[str, Any]) -> str:
    topic = params.get("topic")
    if not isinstance(topic, str) or not 1 <= len(topic) <= wire.MAX_TOPIC_CHARS:
        raise RpcError(INVALID_PARAMS, f"topic is to be a text of 1 to {wire.MAX_TOPIC_CHARS} characters")
    if not _is_text(topic):
        raise RpcError(INVALID_PARAMS, "topic holds half a surrogate pair, which UTF-8 can't")
    return topic


def _is_text(value: str) -> bool:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
