"""Where every thread leaves word for the supervisor."""

from __future__ import annotations

import enum
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from ingestd.audio.ports import Negotiated
from ingestd.core.ingest_session import IngestSession
from ingestd.core.wire import Event
from ingestd.errors import IngestdError
from ingestd.net.ports import Link

MAX_WAITING_EVENTS: Final = 1024


@dataclass(frozen=True, slots=True)
class SessionCreated:
    """The attempt of `epoch` has a session and goes on to connect."""

    epoch: int
    session: IngestSession


@dataclass(frozen=True, slots=True)
class Connected:
    """The attempt of `epoch` has an open link on which `start` is sent."""

    epoch: int
    link: Link


@dataclass(frozen=True, slots=True)
class AttemptFailed:
    """The attempt of `epoch` has ended."""

    epoch: int
    error: Exception


@dataclass(frozen=True, slots=True)
class LinkJoined:
    """The service has shown that the link of `epoch` is in the room; once for each link, before what it says there."""

    epoch: int


@dataclass(frozen=True, slots=True)
class LinkReady:
    """The link of `epoch`, beside another, could take over without a word or frame being missed."""

    epoch: int


@dataclass(frozen=True, slots=True)
class LinkEnded:
    """The link of `epoch` is over; seen by the sender or the receiver, or both."""

    epoch: int
    error: Exception


@dataclass(frozen=True, slots=True)
class RoomEvent:
    """Something other than audio came in on the link of `epoch`."""

    epoch: int
    event: Event


@dataclass(frozen=True, slots=True)
class DeviceChanged:
    """A sound device was opened (`error` None, with what it agreed to) or lost. `device`: "capture" or "playback"."""

    device: str
    name: str
    error: Exception | None
    negotiated: Negotiated | None = None


@dataclass(frozen=True, slots=True)
class WorkerDied:
    """A thread ended by an exception that nobody expected."""

    name: str
    error: BaseException


class Request(enum.Enum):
    """What can be asked of the supervisor; the value is the method of the control socket."""

    CALL = "call"
    HANG_UP = "hangup"
    RECONNECT = "reconnect"
    RELOAD = "reload"


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody wants something done; `answer` takes what came of it, and never blocks."""

    request: Request
    answer: Callable[[str | IngestdError], None]
    ws_url: str | None = field(default=None, repr=False)
    """With CALL: of a session that somebody else created. A secret."""


@dataclass(frozen=True, slots=True)
class Signalled:
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
    | WorkerDied
    | Asked
    | Signalled
)


class Mailbox:
    """Any thread and any signal handler posts; the supervisor polls `fileno` and takes."""

    def __init__(self) -> None:
        self._mail: deque[Mail] = deque()
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.is_shut = False
        """Nobody takes from it any more. Any thread reads it."""
        self.discarded_events = 0
        """Room events that came faster than the supervisor could take them."""

    def fileno(self) -> int:
        """Readable while there is mail."""
        return self._fd

    def post(self, mail: Mail) -> None:
        """Leaves word. Never blocks."""
        if isinstance(mail, RoomEvent) and len(self._mail) >= MAX_WAITING_EVENTS:
            self.discarded_events += 1
            return
        self._mail.append(mail)
        os.eventfd_write(self._fd, 1)

    def take_all(self) -> list[Mail]:
        """All mail there is, oldest first. Supervisor."""
        try:
            os.eventfd_read(self._fd)
        except BlockingIOError:
            return []
        taken = []
        while self._mail:
            taken.append(self._mail.popleft())
        return taken

    def shut(self) -> None:
        """The supervisor has ended: whoever waits for an answer waits in vain."""
        self.is_shut = True

    def close(self) -> None:
        """Gives the descriptor back, once nobody posts any more."""
        os.close(self._fd)
