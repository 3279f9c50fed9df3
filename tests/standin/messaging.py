"""One client's subscribe, unsubscribe and message frames: queued until it joined, then carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.standin import lifecycle, topics
from tests.standin.calls import Call
from tests.standin.room import Participant, Room

if TYPE_CHECKING:
    from tests.standin.connection import Connection


class Messaging:
    """The messaging of one started session."""

    def __init__(self, connection: Connection, call: Call) -> None:
        self._connection = connection
        self._call = call
        self._place: tuple[Room, Participant] | None = None
        self._waiting: list[tuple[str, str, str]] = []

    def take(self, event: str, frame: dict[str, Any]) -> None:
        """Carry out a frame, or queue it; raises TopicRefusedError for one that breaks the page's rules."""
        settings = self._connection.settings
        topic = topics.checked_topic(frame.get("topic"), settings)
        text = ""
        if event == "message":
            if "data" not in frame:
                raise topics.TopicRefusedError("message_without_data")
            text = topics.serialised(frame["data"], settings)
        if self._place is not None:
            self._do(*self._place, event, topic, text)
        elif len(self._waiting) < settings.waiting_messages:
            self._waiting.append((event, topic, text))
        else:
            raise topics.TopicRefusedError("too_many_waiting")

    def joined(self, room: Room, participant: Participant) -> None:
        """Carry out what was queued, in order."""
        self._place = room, participant
        waiting, self._waiting = self._waiting, []
        for event, topic, text in waiting:
            self._do(room, participant, event, topic, text)

    def _do(self, room: Room, participant: Participant, event: str, topic: str, text: str) -> None:
        if event == "subscribe":
            room.subscribe(participant, topic, self._connection.settings)
        elif event == "unsubscribe":
            participant.topics.discard(topic)
        else:
            self._call.info.messages_in += 1
            room.publish(participant, topic, text)
            lifecycle.published(self._connection, topic, text)
