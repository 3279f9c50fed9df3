"""The connections there are: the one that carries the call, a second one beside it, one on its way out. Supervisor."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

from ingestd.net.ports import Link
from ingestd.threads.link_slot import Links, LinkSlot

_LISTEN_S: Final = 0.2
"""To a session that has said goodbye; most servers answer within milliseconds."""


class Connections:
    """Hands links to sender and receiver through their slots, and keeps the books over all of them.

    What is read by other threads says so; all methods are the supervisor's.
    """

    def __init__(
        self,
        sender: LinkSlot,
        receiver: LinkSlot,
        goodbye_s: float,
        now: Callable[[], float],
    ) -> None:
        """A link that was handed over to another has `goodbye_s` for its end."""
        self._sender = sender
        self._receiver = receiver
        self._goodbye_s = goodbye_s
        self._listen_until_s: float | None = None  # to the one that is leaving
        self._now = now
        self._links = Links()  # replaced whole: who looks while one takes over finds both
        self._leaving: Link | None = None
        self._leaving_until_s = 0.0
        self.count = 0
        """Links that have carried the call,"""
        self.renewals = 0
        """and those among them that took over from another."""
        self._wire_faults: Counter[str] = Counter()  # of the links that are gone
        self.started = 0.0
        """When the present link was opened, wall-clock seconds since 1970."""
        self.opened_s = 0.0
        """The same by CLOCK_MONOTONIC."""
        self.carrying_since_s = 0.0
        """When it was given the audio."""
        self.taken_over_from: int | None = None
        """The epoch of the link before, where this one took over from it,"""
        self.second_asked_s = 0.0
        """and when the second session was asked for."""
        self._second_opened = (0.0, 0.0)
        self._lasted: int | None = None  # the epoch that has been told of

    @property
    def carrying(self) -> Link | None:
        """It carries the call. Any thread."""
        return self._links.carrying

    @property
    def second(self) -> Link | None:
        """Joining the room, to take over. Any thread."""
        return self._links.beside

    def adopt(self, link: Link) -> None:
        """It carries the call from now on; there was none."""
        self._links = Links(link, self.second)
        self.taken_over_from = None
        self.opened_s = self.carrying_since_s = self._now()
        self.started = time.time()
        self.count += 1
        self._offer()

    def accompany(self, link: Link, asked_s: float) -> None:
        """It is kept alive beside the one that carries the call; its session was asked for at `asked_s`."""
        self._drop_leaving()
        self._links = Links(self.carrying, link)
        self.second_asked_s = asked_s
        self._second_opened = self._now(), time.time()
        self._offer()

    def switch(self) -> None:
        """The second takes over, and the first one hangs up; whoever sends finds each frame with one of the two."""
        first, second = self._links
        self._links = Links(second)
        self.opened_s, self.started = self._second_opened
        self.carrying_since_s = self._now()
        self.count += 1
        if first is not None:
            self.taken_over_from = first.epoch
            self.renewals += 1
            self._leaving, self._leaving_until_s = first, self._now() + self._goodbye_s
            self._listen_until_s = self._now() + _LISTEN_S
        self._offer()
        if first is not None:
            first.hang_up()  # after the offer: what it refuses from now on finds the second

    def drop_second(self) -> None:
        """It will not take over."""
        if (second := self.second) is not None:
            self._add_up(second)
            self._links = Links(self.carrying)
            self._offer()
            second.hang_up()
            second.leave()

    def release(self) -> None:
        """The call is over, with all its links."""
        first = self.carrying
        if first is not None:
            self._add_up(first)
        self._links = Links(None, self.second)
        self._listen_until_s = None
        self._offer()
        if first is not None:
            first.leave()  # sender and receiver leave within one round; the last closes

    def ended(self, epoch: int) -> None:
        """The link of that epoch is over: where it was on its way out anyhow, that was it."""
        if self._leaving is not None and self._leaving.epoch == epoch:
            self._drop_leaving()

    @property
    def due_s(self) -> float:
        """When `tick` is to be called at the latest."""
        return math.inf if self._listen_until_s is None else self._listen_until_s

    def tick(self) -> None:
        """A goodbye that is not answered has an end. About once a second, and at `due_s`."""
        if self._listen_until_s is not None and self._now() >= self._listen_until_s:
            self._listen_until_s = None
            self._offer()
        if self._leaving is not None and self._now() >= self._leaving_until_s:
            self._leaving.shutdown()
            self._drop_leaving()

    def has_lasted(self, seconds: float) -> bool:
        """The present link has carried the call for so long: true once for each link.

        While it lasts on, the failures of its renewal count.
        """
        link = self.carrying
        if link is None or link.epoch == self._lasted or self._now() - self.carrying_since_s < seconds:
            return False
        self._lasted = link.epoch
        return True

    @property
    def second_answers(self) -> bool:
        """Something has come in on it."""
        return self.second is not None and self.second.liveness.heard

    def knows(self, epoch: int) -> bool:
        """One of that epoch is there, maybe on its way out. Supervisor."""
        return any(link.epoch == epoch for link in self._present())

    def close(self) -> None:
        """The end of the daemon: what is still on its way out is let go."""
        self._drop_leaving()

    def all(self) -> list[Link]:
        """Those that are in the room, or are about to be. Any thread."""
        return [link for link in self._links if link is not None]

    def _drop_leaving(self) -> None:
        if (leaving := self._leaving) is not None:
            self._add_up(leaving)
            self._leaving = self._listen_until_s = None
            self._offer()
            leaving.leave()

    @property
    def wire_faults(self) -> Counter[str]:
        """Inbound messages refused, by kind, over all links. Any thread."""
        # Copied in one go: the receiver may be counting still.
        return sum((Counter(dict(link.wire_faults)) for link in self._present()), self._wire_faults)

    def _present(self) -> list[Link]:
        return [link for link in (*self._links, self._leaving) if link is not None]

    def _add_up(self, link: Link) -> None:
        self._wire_faults = self._wire_faults + Counter(dict(link.wire_faults))  # replaced whole: others may be reading

    def _offer(self) -> None:
        beside = self.second or self._leaving
        self._sender.offer(self.carrying, beside)
        # The new one still brings what the device itself said by the one before; that one brings the room only.
        if self._leaving is not None and self._listen_until_s is not None:
            self._receiver.offer(self._leaving, self.carrying)
        else:
            self._receiver.offer(self.carrying, beside)
