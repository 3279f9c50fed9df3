"""Tells what has been seen before, by its id: a room may replay a long history to every new session. Pure."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from hashlib import blake2b
from typing import Final

KEPT: Final = 16384
"""Ids remembered, in 16 bytes each: a longer replay is taken for new."""


class OnlyOnce:
    """Ids of messages, which two connections to one room may both bring. One thread.

    An id is kept as 64 bits of its hash, however long it is: a false match is to be expected once in 10^15 messages.
    """

    def __init__(self, kept: int = KEPT) -> None:
        """Remembers so many."""
        self._kept = kept
        self._sorted = array("Q")
        self._by_age = array("Q")  # a ring, once it is full
        self._oldest = 0

    def is_new(self, message_id: str | None) -> bool:
        """False where it was seen before; what has no id is always new."""
        if not message_id:
            return True
        seen = int.from_bytes(blake2b(message_id.encode("utf-8", "surrogatepass"), digest_size=8).digest())
        if self._has(seen):
            return False
        if len(self._by_age) < self._kept:
            self._by_age.append(seen)
        else:
            self._sorted.pop(bisect_left(self._sorted, self._by_age[self._oldest]))
            self._by_age[self._oldest] = seen
            self._oldest = (self._oldest + 1) % self._kept
        self._sorted.insert(bisect_left(self._sorted, seen), seen)
        return True

    def _has(self, seen: int) -> bool:
        place = bisect_left(self._sorted, seen)
        return place < len(self._sorted) and self._sorted[place] == seen
