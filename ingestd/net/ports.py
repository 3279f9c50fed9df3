"""What the threads know of the network. Adapters: `net.backend`, `net.dialer`, `net.channel`."""

from __future__ import annotations

from collections import Counter
from typing import Any, Protocol

from ingestd.core.ingest_session import IngestSession
from ingestd.core.liveness import Liveness
from ingestd.core.wire import Event


class Link(Protocol):
    """One open connection to the room. Whoever uses it calls `join` first and `leave` after; the last one closes."""

    epoch: int
    call_id: str | None
    liveness: Liveness
    topics: tuple[str, ...]
    """What it was opened with."""
    joined: bool
    media_sent: int
    wire_faults: Counter[str]

    @property
    def ready(self) -> bool:
        """In the room, which knows of all subscriptions: it may take over from another. Any thread."""

    def fileno(self) -> int:
        """For `poll`. Any thread."""

    def join(self) -> bool:
        """One more user; False where the link is closed already. Any thread."""

    def leave(self) -> None:
        """One user less. Any thread."""

    def route_changed(self) -> bool:
        """True where a connection made now would go another way than this one. Never waits. Supervisor thread."""

    def post(self, text: bytes) -> bool:
        """Queues a word, as subscribe; False where too many wait, or the link is on its way out. Any thread."""

    def hang_up(self) -> None:
        """`stop` and a close frame go out instead of anything else. Any thread."""

    def abort(self) -> None:
        """Gives up a link that counts as dead; what the other end has not read is thrown away. Any thread."""

    def shutdown(self) -> None:
        """Ends the connection at once; its users find out by ChannelClosed. Any thread, never blocks."""

    def send_media(self, pcm: bytes) -> bool:
        """Sends a frame of audio, or drops it once `stop` is being said; False where it has to wait. Sender thread.

        Raises ChannelClosed.
        """

    def send_message(self, text: bytes) -> bool:
        """Sends a message between the frames of audio; False where it is not its turn. Sender thread.

        Raises ChannelClosed, where the peer can't have the whole of it.
        """

    def send_others(self, now: float) -> None:
        """Sends what is due beside media. Raises ChannelClosed. Sender thread."""

    def send_beside(self, now: float) -> None:
        """Sends what is due where another link has the media. Raises ChannelClosed. Sender thread."""

    def has_buffered(self) -> bool:
        """True where `receive` has something although `poll` would wait. Receiver thread."""

    def receive(self) -> list[Event]:
        """What has come in; never waits. Raises ChannelError when the connection is over. Receiver thread."""


class SessionMaker(Protocol):
    """Creates ingest sessions."""

    def create(self, body: dict[str, Any], cancel: Any) -> IngestSession:
        """Blocks, seconds at most, and until `cancel` at most. Raises BackendError."""


class Cancellable(Protocol):
    """Ends what another thread is waiting for."""

    requested: bool

    def cancel(self) -> None:
        """At once. Any thread."""


class LinkOpener(Protocol):
    """Turns a session into an open link that has said `start`."""

    def open(self, session: IngestSession, epoch: int, cancel: Any, deadline_s: float) -> Link:
        """Blocks until `deadline_s` at most. Raises ChannelError."""
