"""Opens a channel for a session: connect, claim it by `start`, subscribe."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from urllib.parse import parse_qsl, urlsplit

from ingestd.core.ingest_session import IngestSession
from ingestd.core.times import DEFAULT, Times
from ingestd.errors import ChannelError
from ingestd.net.cancel import Cancel
from ingestd.net.channel import Channel
from ingestd.net.dialer import Dialer


class ChannelOpener:
    """See `net.ports.LinkOpener`. `topics` gives what to subscribe to, asked anew for every channel."""

    def __init__(self, dialer: Dialer, topics: Callable[[], Iterable[str]], times: Times = DEFAULT) -> None:
        self._dialer = dialer
        self._topics = topics
        self._times = times
        self._answers_pings = False
        self._last: Channel | None = None

    def open(self, session: IngestSession, epoch: int, cancel: Cancel, deadline_s: float) -> Channel:
        """Connects, claims the session by `start` at once, then subscribes. Raises ChannelError."""
        if self._last is not None and self._last.liveness.rtt_ms is not None:
            self._answers_pings = True  # and so it will again: silence from now on means that nobody reads
        stream = self._dialer.open(session.ws_url, cancel, deadline_s)
        channel = Channel(
            stream, epoch, session.call_id, self._topics(), self._answers_pings, _ref(session), self._times
        )
        try:
            channel.start()
        except ChannelError:
            channel.leave()
            raise
        self._last = channel
        return channel


def _ref(session: IngestSession) -> str:
    """The claim in a session's URL: a secret for as long as the session lives."""
    return next((value for key, value in parse_qsl(urlsplit(session.ws_url).query) if key == "ref"), "")
