"""Events as they come, each once: what a follower of the table `events` has still to be shown.

PostgreSQL numbers rows when they are written and shows them once they are committed, so a lower number may turn up
after a higher one. Every number that was passed over is therefore asked for again, for a while: longer than any
transaction takes. Most of them never come, as a webhook that was kept before uses one up as well.
"""

from __future__ import annotations

from typing import Final

from ingestd.broker.events import Event, Events

_AWAITED_S: Final = 15.0
_MOST_AWAITED: Final = 1000
_AT_ONCE: Final = 500


class EventFeed:
    """What came since the last look. One thread."""

    def __init__(self, events: Events, device: str | None = None) -> None:
        """Of one device, if given."""
        self._events = events
        self._device = device
        self._last = 0
        self._awaited: dict[int, float] = {}
        """Numbers that were passed over, and when (monotonic seconds)."""

    def begin(self, limit: int, now_s: float) -> list[Event]:
        """The newest events, in order; those after them come with `more`. Raises SQLAlchemyError."""
        newest = self._events.latest(max(1, limit))
        self._last = newest[0].id - 1 if newest else 0
        self._note(newest, now_s)
        if not limit:
            return []
        # What has come since is `more`'s.
        return [event for event in self._events.latest(limit, self._device) if event.id <= self._last]

    def more(self, now_s: float) -> list[Event]:
        """What has come since. Raises SQLAlchemyError."""
        self._awaited = {number: since for number, since in self._awaited.items() if now_s - since < _AWAITED_S}
        come: list[Event] = []
        while found := self._events.after(self._last, _AT_ONCE, self._awaited):
            self._note(found, now_s)
            come += [event for event in found if self._device in (None, event.device)]
        return come

    def _note(self, found: list[Event], now_s: float) -> None:
        for event in found:
            if event.id > self._last:
                passed_over = range(max(self._last + 1, event.id - _MOST_AWAITED), event.id)
                self._awaited.update(dict.fromkeys(passed_over, now_s))
                self._last = event.id
            self._awaited.pop(event.id, None)
        for number in sorted(self._awaited)[:-_MOST_AWAITED]:
            del self._awaited[number]
