"""A room: its participants, what each of them hears at each tick, and its topic messages."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from typing import Any

from tests.standin.mixing import Mix, TickMixer
from tests.standin.settings import Settings
from tests.standin.topics import History, TopicMessage, new_message


class Participant(ABC):
    """Someone in a room; the room calls these from its tick and when others come, go or publish."""

    def __init__(self, participant_id: str, name: str, metadata: dict[str, Any]) -> None:
        self.id = participant_id
        self.name = name
        self.metadata = metadata
        self.topics: set[str] = set()

    @abstractmethod
    def pull(self, tick: int, now_s: float) -> bytes | None:
        """The next 20 ms of what the participant says (PCM), or None."""

    @abstractmethod
    def is_publishing(self, now_s: float) -> bool:
        """Whether the participant's microphone counts as open at the monotonic time `now_s` (seconds)."""

    @abstractmethod
    def hear(self, tick: int, mix: Mix, published: bool) -> None:
        """One tick of everyone else; `published` is False if nobody else is publishing audio."""

    @abstractmethod
    def receive(self, message: TopicMessage) -> None:
        """A message on a topic the participant is subscribed to."""

    @abstractmethod
    def notice(self, frame: dict[str, Any]) -> None:
        """A server frame about someone else joining or leaving."""

    @abstractmethod
    def meeting_over(self, message: str, evicted: bool) -> None:
        """The meeting ended for this participant; it is out of the room already."""

    def description(self, sparse: bool = False) -> dict[str, Any]:
        """The participant as server frames name it."""
        if sparse:
            return {}
        return {"id": self.id, "name": self.name, "metadata": self.metadata}


class Room:
    """One room. It outlives its participants, and so does its message history."""

    def __init__(self, room_id: str) -> None:
        self.id = room_id
        self.session_id = str(uuid.uuid4())
        self.participants: list[Participant] = []
        self.history = History()

    def join(self, newcomer: Participant, settings: Settings) -> None:
        """Let `newcomer` in; an earlier participant with the same id is evicted if that is switched on."""
        if settings.same_participant_id == "evict":
            for twin in [p for p in self.participants if p.id == newcomer.id]:
                self.leave(twin, settings)
                twin.meeting_over("DUPLICATE_PARTICIPANT", evicted=True)
        others = list(self.participants)
        self.participants.append(newcomer)
        if settings.send_participant_joined:
            for other in others:
                other.notice(_about("participant-joined", newcomer, settings))
                newcomer.notice(_about("participant-joined", other, settings))

    def leave(self, leaver: Participant, settings: Settings) -> None:
        """Take `leaver` out; nothing happens if it is out already."""
        if leaver not in self.participants:
            return
        self.participants.remove(leaver)
        if settings.send_participant_left:
            for other in self.participants:
                other.notice(_about("participant-left", leaver, settings))

    def end(self, message: str, settings: Settings) -> None:
        """End the meeting for everyone in it."""
        for participant in list(self.participants):
            if participant in self.participants:
                self.leave(participant, settings)
                participant.meeting_over(message, evicted=False)

    def publish(self, sender: Participant, topic: str, text: str) -> TopicMessage:
        """Deliver a message to every other participant subscribed to `topic`, and keep it."""
        message = new_message(topic, text, sender.id, sender.name)
        self.history.add(message)
        for participant in list(self.participants):
            if participant is not sender and topic in participant.topics:
                participant.receive(message)
        return message

    def subscribe(self, subscriber: Participant, topic: str, settings: Settings) -> None:
        """Subscribe; what others published before is delivered first if that is switched on."""
        new = topic not in subscriber.topics
        subscriber.topics.add(topic)
        if settings.replay_history and new:
            for message in self.history.of(topic):
                if settings.replay_own or message.sender_id != subscriber.id:
                    subscriber.receive(message)

    def tick(self, tick: int, now_s: float) -> None:
        """Mix 20 ms: take one frame of everyone's voice and give each the others'."""
        present = list(self.participants)
        voices = [participant.pull(tick, now_s) for participant in present]
        publishing = [participant.is_publishing(now_s) for participant in present]
        publishers = sum(publishing)
        mixer = TickMixer([voice for voice in voices if voice is not None])
        for participant, voice, speaks in zip(present, voices, publishing, strict=True):
            participant.hear(tick, mixer.without(voice), publishers > speaks)


def _about(event: str, participant: Participant, settings: Settings) -> dict[str, Any]:
    """A participant-joined or participant-left frame."""
    if settings.sparse_frames:
        return {"event": event}
    return {"event": event, "participant": participant.description()}
