"""Tells the room which topics local programs listen to, no faster than the call has room for such words."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Final

from ingestd.core import wire
from ingestd.core.topics import TopicSet
from ingestd.net.ports import Link

_WORD_S: Final = 0.04
"""A word goes out with each media frame, every 20 ms; every second one is left to messages."""
_MOST_WORDS: Final = 16
"""At once."""
_LOOK_S: Final = 0.04
"""How often at most it is looked whether there are new links, or topics of the configuration."""


class Subscriptions:
    """What is wanted counts at once; each link hears of it by and by. Who comes and goes meanwhile costs no word.

    A link is told what it was neither opened with nor told since, of what is wanted by then. Control thread.
    """

    def __init__(self, topics: TopicSet, links: Callable[[], Iterable[Link]]) -> None:
        """`links` gives those that are in the room, or about to be."""
        self._topics = topics
        self._links = links
        self._told: dict[Link, set[str]] = {}
        self._untold: tuple[str, ...] = ()  # to one link or more; what has waited longest comes first
        self._tell_s = 0.0
        self._look_s = 0.0
        self.due_s = 0.0
        """When `step` is to be called at the latest; infinite where all is told (CLOCK_MONOTONIC seconds)."""

    def want(self, topics: Iterable[str], now: float) -> None:
        """Local programs want these topics now (CLOCK_MONOTONIC seconds), and no others."""
        self._topics.asked(topics)
        self._look(now)

    def step(self, now: float) -> None:
        """Tells what is due. To be called at `due_s`, and soon after there are other links or topics."""
        if now >= self._look_s:
            self._look(now)
        else:
            self.due_s = min(self.due_s, self._look_s)  # what it was called for is looked at then

    def _look(self, now: float) -> None:
        self._note()
        all_told = not self._untold
        if self._untold and now >= self._tell_s:
            words, self._untold = self._untold[:_MOST_WORDS], self._untold[_MOST_WORDS:]
            self._tell_s = now + len(words) * _WORD_S
            self._tell(words)
        self._look_s = self._tell_s if self._untold else now + _LOOK_S
        self.due_s = math.inf if all_told else self._look_s  # once more after the last, which may not have been taken

    def _note(self) -> None:
        """What is still to be told, and to which links."""
        wanted = dict.fromkeys(self._topics.all())
        self._told = {link: self._told[link] if link in self._told else set(link.topics) for link in self._links()}
        changed = {topic for told in self._told.values() for topic in wanted.keys() ^ told}
        if changed or self._untold:
            in_order = dict.fromkeys((*self._untold, *wanted, *sorted(changed)))
            self._untold = tuple(topic for topic in in_order if topic in changed)

    def _tell(self, topics: Iterable[str]) -> None:
        """A link that can't take a word in now hears of it later."""
        wanted = frozenset(self._topics.all())
        for topic in topics:
            word = wire.encode_subscribe(topic) if topic in wanted else wire.encode_unsubscribe(topic)
            for link, told in self._told.items():
                if (topic in told) is not (topic in wanted) and link.post(word):
                    told.symmetric_difference_update((topic,))
