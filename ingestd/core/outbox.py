"""Messages that wait to go out: few, for a while, and whoever published hears what became of each. Pure.

One thread puts and expires (control), another takes (sender). A message belongs to whoever got it out of the deque,
which is atomic (`popleft`, `remove`), so neither waits for the other. Only what was written counts as sent: what a
connection did not take goes back, and out by the next one.
"""

from __future__ import annotations

import enum
import math
from collections import deque
from collections.abc import Callable
from typing import Final

MAX_WAITING: Final = 64


class Outcome(enum.Enum):
    """What became of a message."""

    SENT = "sent"
    EXPIRED = "expired"
    """It has waited for too long, and was thrown away."""


class Waiting:
    """One message. `told` is called once, by whichever thread decides; it must not block."""

    __slots__ = ("since_s", "text", "told", "until_s")

    def __init__(self, text: bytes, since_s: float, until_s: float, told: Callable[[Outcome], None]) -> None:
        self.text = text
        self.since_s = since_s
        self.until_s = until_s
        self.told = told


class Outbox:
    """At most MAX_WAITING messages, in order. Times are CLOCK_MONOTONIC seconds."""

    def __init__(self) -> None:
        self.waiting: deque[Waiting] = deque()
        """For a look whether there are any; `take` says which may go. Any thread."""
        self.count = 0
        """Sent."""
        self.expired = 0
        """Thrown away for their age. Any thread reads both."""

    def __len__(self) -> int:
        return len(self.waiting)

    def put(self, message: Waiting) -> bool:
        """False where too many wait already. Control thread."""
        if len(self.waiting) >= MAX_WAITING:
            return False
        self.waiting.append(message)
        return True

    def take(self, now: float) -> Waiting | None:
        """The oldest that is not too old; then it is either `sent`, or `put_back`. Sender thread."""
        while True:
            try:
                message = self.waiting.popleft()
            except IndexError:
                return None
            if now < message.until_s:
                return message
            self._expire(message)

    def sent(self, message: Waiting) -> None:
        """It has been written to the connection. Sender thread."""
        self.count += 1
        message.told(Outcome.SENT)

    def put_back(self, message: Waiting) -> None:
        """It could not be written: it is the next one again. Sender thread."""
        self.waiting.appendleft(message)

    def expire(self, now: float) -> None:
        """Throws away what has waited for too long. Control thread, some times a second while its publisher waits."""
        for message in tuple(self.waiting):
            if now >= message.until_s:
                try:
                    self.waiting.remove(message)
                except ValueError:
                    continue  # the sender has just taken it
                self._expire(message)

    @property
    def due_s(self) -> float:
        """When the first one is too old; infinite where none waits."""
        return min((message.until_s for message in tuple(self.waiting)), default=math.inf)

    def _expire(self, message: Waiting) -> None:
        self.expired += 1
        message.told(Outcome.EXPIRED)
