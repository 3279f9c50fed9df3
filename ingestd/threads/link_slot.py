"""How the supervisor hands a link to a thread that is busy, without either waiting for the other."""

from __future__ import annotations

from ingestd.net.ports import Link


class LinkSlot:
    """The supervisor offers; the thread looks each time round and uses what it finds."""

    def __init__(self) -> None:
        self._offered: Link | None = None
        self._seen: Link | None = None
        self._using: Link | None = None

    def offer(self, link: Link | None) -> None:
        """From now on this one, or none. Supervisor."""
        self._offered = link

    def current(self) -> Link | None:
        """The link to use now; leaves the one before. The thread."""
        offered = self._offered
        if offered is not self._seen:
            self.drop()
            self._seen = offered
            if offered is not None and offered.join():
                self._using = offered
        return self._using

    def drop(self) -> None:
        """This one is over; none until the next is offered. The thread."""
        if self._using is not None:
            self._using.leave()
            self._using = None
