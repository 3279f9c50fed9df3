"""How the supervisor hands a link to a thread that is busy, without either waiting for the other.

There are two of them while one session takes over from another.
"""

from __future__ import annotations

import weakref
from typing import NamedTuple

from ingestd.net.ports import Link


class Links(NamedTuple):
    """Which link does what; never the same twice."""

    carrying: Link | None = None
    """Has the media, both ways."""
    beside: Link | None = None
    """Is kept alive only: about to take over, or saying goodbye."""


class LinkSlot:
    """The supervisor offers; the thread looks each time round and uses what it finds."""

    def __init__(self) -> None:
        self.offered = self.seen = self.using = Links()
        """While the first two are one, `current` would say `using`: whoever looks there saves a call.

        The supervisor sets the first, the thread the others."""
        self._over: weakref.WeakSet[Link] = weakref.WeakSet()

    def offer(self, carrying: Link | None, beside: Link | None = None) -> None:
        """From now on these, or none. Supervisor.

        Where a link is to be hung up, the links without it as `carrying` are to be offered before: then no frame is
        sent to it that it does not say any more.
        """
        self.offered = Links(carrying, beside)

    def current(self) -> Links:
        """The links to use now; the same object until they change. The thread.

        Joins what is new, leaves what is no longer offered, and keeps what stays, whatever its part is now.
        """
        offered = self.offered
        if offered is not self.seen:
            self.seen = offered
            before = self.using
            self.using = Links(*(self._joined(link) for link in offered))
            for link in before:
                if link is not None and link not in self.using:
                    link.leave()
        return self.using

    def drop(self, link: Link) -> None:
        """This one is over: left, and not used again whatever is offered. The thread."""
        if link in self.using:
            self._over.add(link)
            self.using = Links(*(None if used is link else used for used in self.using))
            link.leave()

    def drop_all(self) -> None:
        """All are over. The thread, at its end."""
        for link in self.using:
            if link is not None:
                self.drop(link)

    def _joined(self, link: Link | None) -> Link | None:
        if link is None or link in self.using:
            return link
        if link in self._over:
            return None
        if not link.join():
            self._over.add(link)
            return None
        return link
