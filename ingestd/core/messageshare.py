"""What of the way messages may take from the audio: one between two frames, where there is room, half at most. Pure.

A message can't be taken back once it is written, and everything behind it waits until it is through: 8 KB take 130 ms
at 512 kbit/s. So the next one has to wait until the way is as empty as audio alone leaves it, and until as many bytes
of audio have gone as the one before had: also where a proxy takes all at once and the queue is out of sight.
"""

from __future__ import annotations

from typing import Final

ROOM_BYTES: Final = 2500
"""What may be on its way already when a message goes: about five media frames, as some peers acknowledge late."""


class MessageShare:
    """Of one link. Sizes and positions are bytes of the link's stream. One thread."""

    def __init__(self) -> None:
        self.is_their_turn = True
        """A frame of audio went since the last message. Enough for a word of a few bytes, such as a subscription."""
        self.owed_bytes = 0
        """What audio has to go before another message; while it is 0 `media_went` changes nothing."""
        self._end = 0  # of the last message in the stream
        self._size_bytes = 0

    def may_go(self, waiting_bytes: int, carried_bytes: float) -> bool:
        """A message may be written now, where so many bytes are unacknowledged.

        `carried_bytes`: of them, what a way as long as this one holds of audio.
        """
        return self.is_their_turn and self.owed_bytes <= 0 and waiting_bytes <= ROOM_BYTES + carried_bytes

    def media_went(self, size_bytes: int) -> None:
        """A frame of audio was written."""
        self.is_their_turn = True
        self.owed_bytes = max(0, self.owed_bytes - size_bytes)

    def message_went(self, size_bytes: int, end: int) -> None:
        """A message was written, up to that position of the stream."""
        self.is_their_turn = False
        self.owed_bytes += size_bytes
        self._size_bytes = size_bytes
        self._end = end

    def on_the_way_bytes(self, waiting_bytes: int, end: int) -> int:
        """How many of the unacknowledged bytes before `end` are the last message's: it counts for no audio."""
        return max(0, min(self._size_bytes, waiting_bytes - (end - self._end)))
