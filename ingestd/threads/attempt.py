"""One attempt at a connection: backend → session → link, in a thread of its own.

An attempt that is given up ends within a second, whatever it waits for; what it still brings belongs to a dead epoch
and is closed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ingestd.net.ports import Cancellable, LinkOpener, SessionMaker
from ingestd.threads.mailbox import AttemptFailed, Connected, Mailbox, SessionCreated
from ingestd.threads.worker import Worker


class Attempt(Worker):
    """Creates a session and connects to it, once.

    Posts SessionCreated and Connected, or AttemptFailed, all with its `epoch`.
    """

    name = "attempt"

    def __init__(
        self,
        mailbox: Mailbox,
        epoch: int,
        sessions: SessionMaker,
        opener: LinkOpener,
        body: dict[str, Any],
        new_cancel: Callable[[], Cancellable],
    ) -> None:
        super().__init__(mailbox)
        self._epoch = epoch
        self._sessions = sessions
        self._opener = opener
        self._body = body
        self._cancel = new_cancel()

    def start(self) -> None:
        """Begins; where the system gives no thread, that is a failed attempt. Supervisor."""
        try:
            super().start()
        except RuntimeError as error:
            self._mailbox.post(AttemptFailed(self._epoch, error))

    def stop(self) -> None:
        """Gives the attempt up. Any thread."""
        super().stop()
        self._cancel.cancel()

    def run_until_stopped(self) -> None:
        """See `Worker`."""
        try:
            asked_s = time.monotonic()
            session = self._sessions.create(self._body, self._cancel)
            if self._stopping.is_set():
                return
            self._mailbox.post(SessionCreated(self._epoch, session))
            # From the request on, not from the answer: that is when the service began to count, at the earliest.
            deadline_s = asked_s + session.expires_in_s
            link = self._opener.open(session, self._epoch, self._cancel, deadline_s)
        except Exception as error:  # noqa: BLE001 - a bug met in one attempt must not end the daemon: the backoff stays
            self._mailbox.post(AttemptFailed(self._epoch, error))
            return
        self._mailbox.post(Connected(self._epoch, link))
