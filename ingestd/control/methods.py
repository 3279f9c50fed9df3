"""What the control socket can do with the room's messages, and its status. Control thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, Final

from ingestd.control.protocol import INVALID_PARAMS, UNAVAILABLE, RpcError
from ingestd.control.server import Method
from ingestd.core import wire
from ingestd.core.outbox import MAX_WAITING, Outbox, Outcome, Waiting
from ingestd.core.topics import MAX_TOPICS, TopicSet

_AT_ONCE_S: Final = 0.1
"""The least that a message waits: for its turn, where the device is in the room."""


def methods(
    status: Callable[[], dict[str, Any]],
    outbox: Outbox,
    topics: TopicSet,
    max_payload_bytes: Callable[[], int],
    most_wait_s: float,
    now: Callable[[], float] = time.monotonic,
) -> dict[str, Method]:
    """The methods by name. Each takes the params and raises RpcError.

    `publish` is answered once its message went out; one that has waited `most_wait_s` (or the caller's `wait_s`) is
    thrown away, and the caller told so. Who is subscribed to what is the control thread's to know.
    """

    def publish(params: Mapping[str, Any]) -> Future[Any]:
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
        wait_s = _wait_s(params, most_wait_s)
        since_s = now()
        until_s = since_s + max(wait_s, _AT_ONCE_S)
        answer = Future[Any]()

        def told(outcome: Outcome) -> None:
            waited_s = round(now() - since_s, 3)
            if outcome is Outcome.SENT:
                answer.set_result({"sent": True, "waited_s": waited_s})
            else:
                why = f"the message waited {waited_s:g} s for the room and was thrown away; see 'ingestctl status'"
                answer.set_exception(RpcError(UNAVAILABLE, why))

        if not outbox.put(Waiting(text, since_s, until_s, told)):
            raise RpcError(UNAVAILABLE, f"{MAX_WAITING} messages wait to be sent already; this one was not taken")
        return answer

    def subscribe(params: Mapping[str, Any]) -> bool:
        if not topics.has_room_for(_topic(params)):
            raise RpcError(UNAVAILABLE, f"{MAX_TOPICS} topics are the most this device listens to")
        return True

    def unsubscribe(params: Mapping[str, Any]) -> bool:
        _topic(params)
        return True

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


def _wait_s(params: Mapping[str, Any], most_s: float) -> float:
    wait_s = params.get("wait_s", most_s)
    if isinstance(wait_s, bool) or not isinstance(wait_s, int | float) or not 0 <= wait_s <= most_s:
        raise RpcError(INVALID_PARAMS, f"wait_s is to be a number of seconds, 0 to {most_s:g}")
    return float(wait_s)


def _is_text(value: str) -> bool:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
