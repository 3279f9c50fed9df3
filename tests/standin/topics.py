"""Topic messages: the page's rules for topics and payloads, and a room's history."""

from __future__ import annotations

import datetime
import json
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from tests.standin.settings import Settings


class TopicRefusedError(Exception):
    """A subscribe or publish that fails; `kind` is the counter it goes to. It never ends the call."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


def checked_topic(topic: object, settings: Settings) -> str:
    """`topic` if it is a non-empty string of at most 128 characters; raises TopicRefusedError."""
    if not isinstance(topic, str) or not 0 < len(topic) <= settings.topic_limit_chars:
        raise TopicRefusedError("bad_topic")
    return topic


def serialised(data: object, settings: Settings) -> str:
    """What subscribers receive: a string as it is, any other JSON value serialised; at most 8 KB of UTF-8."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    if len(text.encode("utf-8", "surrogatepass")) > settings.message_limit_bytes:
        raise TopicRefusedError("message_too_large")
    return text


@dataclass(frozen=True)
class TopicMessage:
    """One published message."""

    topic: str
    message: str
    sender_id: str
    sender_name: str
    timestamp: str
    """UTC, ISO 8601 with milliseconds and a Z."""
    id: str

    def frame(self) -> dict[str, Any]:
        """The server's message frame, of the page's shape."""
        return {
            "event": "message",
            "topic": self.topic,
            "data": {
                "message": self.message,
                "senderId": self.sender_id,
                "senderName": self.sender_name,
                "timestamp": self.timestamp,
                "id": self.id,
            },
        }


def new_message(topic: str, text: str, sender_id: str, sender_name: str) -> TopicMessage:
    """A message published now."""
    now = datetime.datetime.now(datetime.UTC)
    stamp = now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03d}Z"
    return TopicMessage(topic, text, sender_id, sender_name, stamp, str(uuid.uuid4()))


@dataclass
class History:
    """What was published in a room, by topic, in order; it outlives the participants."""

    by_topic: dict[str, list[TopicMessage]] = field(default_factory=lambda: defaultdict(list))

    def add(self, message: TopicMessage) -> None:
        """Keep one message."""
        self.by_topic[message.topic].append(message)

    def of(self, topic: str) -> list[TopicMessage]:
        """Everything published on `topic` so far."""
        return list(self.by_topic.get(topic, ()))
