"""What comes in on one connection: bytes to the service's events and the WebSocket's own frames. Receiver thread."""

from __future__ import annotations

from binascii import a2b_base64
from collections import Counter
from collections.abc import Iterator
from typing import Final

from ingestd.core import wire
from ingestd.core.rfc6455 import Frame, FrameReader, Opcode, Oversize, head_of_text
from ingestd.errors import RemoteProtocolError, WireError

_HEAD_BYTES: Final = 4
_LEAST_BYTES: Final = _HEAD_BYTES + 126
_MOST_BYTES: Final = _HEAD_BYTES + 65535
_TAIL: Final = wire.MEDIA_TAIL
_PAYLOAD: Final = slice(_HEAD_BYTES + len(wire.MEDIA_HEAD), -len(_TAIL))
_new_tuple: Final = tuple.__new__  # makes a named one without Python code of its own


class Inbound:
    """Counts what it can't use, by kind; any thread reads the counts."""

    def __init__(self, ref: str) -> None:
        """`ref` is the session's claim, which is struck out of whatever the server says."""
        self._secret = ref.encode()
        self._reader = FrameReader(wire.MAX_INBOUND_BYTES)
        self._usual_bytes = 0  # how long the last lone frame was, unless anything came since, and what it began with
        self._usual_head = b""
        self.faults: Counter[str] = Counter()
        """Messages refused, by `WireError.kind`, and frames of unknown events as `unknown`."""

    def lone_media(self, data: bytes) -> wire.Media | None:
        """What `data` says where it is one whole media frame, spelt as usual, with nothing unfinished before it.

        None where it is anything else, for `take` to judge. So most frames come: 2 µs instead of 8. What is base64
        throughout leaves as samples alone; so nothing has to be struck out of it.
        """
        size = len(data)
        if size != self._usual_bytes:
            if not (_LEAST_BYTES <= size <= _MOST_BYTES and self._reader.idle):
                return None
            self._usual_bytes = size
            self._usual_head = head_of_text(size - _HEAD_BYTES) + wire.MEDIA_HEAD
        if not (data.startswith(self._usual_head) and data.endswith(_TAIL)):
            return None
        try:
            pcm = a2b_base64(data[_PAYLOAD], strict_mode=True)
        except ValueError:  # binascii.Error
            return None
        return _new_tuple(wire.Media, (pcm,)) if not len(pcm) & 1 else None

    @property
    def broken(self) -> RemoteProtocolError | None:
        """Why nothing more can be read, after all that came before it."""
        return self._reader.broken

    def take(self, data: bytes) -> Iterator[wire.Event | Frame]:
        """Events, pings, pongs and closes in order. Raises RemoteProtocolError before the first of them."""
        self._usual_bytes = 0
        for message in self._reader.feed(data):
            if isinstance(message, Oversize):
                self.faults["oversize"] += 1
            elif message.opcode is Opcode.TEXT:
                if (event := self._event(message.payload)) is not None:
                    yield event
            elif message.opcode in (Opcode.PING, Opcode.PONG, Opcode.CLOSE):
                yield message
            else:
                self.faults["binary"] += 1

    def _event(self, text: bytes) -> wire.Event | None:
        if self._secret and self._secret in text:
            text = text.replace(self._secret, b"<ref>")
        try:
            event = wire.decode(text)
        except WireError as error:
            self.faults[error.kind] += 1
            return None
        if isinstance(event, wire.Unknown):
            self.faults["unknown"] += 1
        return event
