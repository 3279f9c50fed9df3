"""Where every thread leaves word for the supervisor."""

from __future__ import annotations

import enum
import os
import sys
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from ingestd.audio.ports import Negotiated
from ingestd.core.ingest_session import IngestSession
from ingestd.core.wire import Event, Message
from ingestd.errors import IngestdError
from ingestd.net.ports import Link

MAX_WAITING_BYTES: Final = 8 << 20
"""Of room events: ten thousand messages of a few hundred bytes, as a room's history may bring at once."""
_MESSAGE_BYTES: Final = 200
"""What a message takes beside its texts;"""
_OTHER_BYTES: Final = 8192
"""and any other event, which may hold much in little JSON."""


class SessionCreated(NamedTuple):
    """The attempt of `epoch` has a session and goes on to connect."""

    epoch: int
    session: IngestSession


class Connected(NamedTuple):
    """The attempt of `epoch` has an open link on which `start` is sent."""

    epoch: int
    link: Link


class AttemptFailed(NamedTuple):
    """The attempt of `epoch` has ended."""

    epoch: int
    error: Exception


class LinkJoined(NamedTuple):
    """The service has shown that the link of `epoch` is in the room; once for each link, before what it says there."""

    epoch: int


class LinkReady(NamedTuple):
    """The link of `epoch`, beside another, could take over without a word or frame being missed."""

    epoch: int


class LinkEnded(NamedTuple):
    """The link of `epoch` is over; seen by the sender or the receiver, or both."""

    epoch: int
    error: Exception


class RoomEvent(NamedTuple):
    """Something other than audio came in on the link of `epoch`."""

    epoch: int
    event: Event


class DeviceChanged(NamedTuple):
    """A sound device was opened (`error` None, with what it agreed to) or lost. `device`: "capture" or "playback"."""

    device: str
    name: str
    error: Exception | None
    negotiated: Negotiated | None = None


class MetricsChanged(NamedTuple):
    """Figures are served at `listen` (`error` None), or can't be for the present."""

    listen: str
    error: Exception | None


class WorkerDied(NamedTuple):
    """A thread ended by an exception that nobody expected."""

    name: str
    error: BaseException


class Request(enum.Enum):
    """What can be asked of the supervisor; the value is the method of the control socket."""

    CALL = "call"
    HANG_UP = "hangup"
    RECONNECT = "reconnect"
    RELOAD = "reload"


class Asked(NamedTuple):
    """Somebody wants something done; `answer` takes what came of it, and never blocks."""

    request: Request
    answer: Callable[[str | IngestdError], None]
    ws_url: str | None = None
    """With CALL: of a session that somebody else created. A secret."""

    def __repr__(self) -> str:
        return f"Asked({self.request})"


class Signalled(NamedTuple):
    """A signal came in."""

    number: int


Mail = (
    SessionCreated
    | Connected
    | AttemptFailed
    | LinkJoined
    | LinkReady
    | LinkEnded
    | RoomEvent
    | DeviceChanged
    | MetricsChanged
    | WorkerDied
    | Asked
    | Signalled
)


def _size_bytes(event: Event) -> int:
    if not isinstance(event, Message):
        return _OTHER_BYTES
    texts = (event.topic, event.text, event.sender_id, event.sender_name, event.timestamp, event.id)
    return _MESSAGE_BYTES + sum(map(sys.getsizeof, texts))


class Mailbox:
    """Any thread and any signal handler posts; the supervisor polls `fileno` and takes."""

    def __init__(self) -> None:
        self._mail: deque[Mail] = deque()
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.is_shut = False
        """Nobody takes from it any more. Any thread reads it."""
        self.discarded_events = 0
        """Room events that came faster than the supervisor could take them."""
        self._posted_bytes = 0  # of room events: the receiver's
        self._taken_bytes = 0  # the supervisor's

    def fileno(self) -> int:
        """Readable while there is mail."""
        return self._fd

    def post(self, mail: Mail) -> None:
        """Leaves word. Never blocks. Room events come from one thread at a time."""
        if isinstance(mail, RoomEvent):
            size_bytes = _size_bytes(mail.event)
            if self._posted_bytes - self._taken_bytes + size_bytes > MAX_WAITING_BYTES:
                self.discarded_events += 1
                return
            self._posted_bytes += size_bytes
        self._mail.append(mail)
        os.eventfd_write(self._fd, 1)

    def take_all(self) -> list[Mail]:
        """All mail there is, oldest first. Supervisor."""
        try:
            os.eventfd_read(self._fd)
        except BlockingIOError:
            return []
        taken = [self._mail.popleft() for _ in range(len(self._mail))]  # what comes meanwhile wakes the poller again
        self._taken_bytes += sum(_size_bytes(mail.event) for mail in taken if isinstance(mail, RoomEvent))
        return taken

    def shut(self) -> None:
        """The supervisor has ended: whoever waits for an answer waits in vain."""
        self.is_shut = True

    def close(self) -> None:
        """Gives the descriptor back, once nobody posts any more."""
        os.close(self._fd)
