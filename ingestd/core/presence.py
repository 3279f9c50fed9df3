"""Who else is in the room, as far as one connection was told. Pure.

The service may tell of people coming and going or not, name them or not, tell of those who were there before or not,
and send silence or nothing while nobody speaks. So "alone" is said only of a device that has joined, knows of nobody
and hears nothing; where the service never tells of anybody, the silence alone has to do.

Each connection has its own. In a renewal the device is in the room twice, and each of the two connections may be
told of the other as of anybody else: see `take_over`.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final, NamedTuple

HEARING_S: Final = 3.0
"""The room counts as being heard for this long after the last sound: people breathe between words."""
OWN_S: Final = 5.0
"""For this long after a renewal the device may hear its own other session, and be told that it leaves."""
MAX_KNOWN: Final = 1024
MAX_ID_CHARS: Final = 256


class RoomView(NamedTuple):
    """What there is to say of the room at one moment."""

    text: str
    joined: bool
    others: int | None
    """None where the service never told of anybody."""
    alone_s: float | None
    """For how long; None where somebody is there, or may be."""


class Presence:
    """Times are CLOCK_MONOTONIC seconds. `media` and `heard` belong to the receiver, all else to the supervisor."""

    def __init__(self, own_id: str | None = None) -> None:
        """`own_id` is this device's `participant.id` where it is known: what is told of that one is no other's."""
        self._own_id = own_id
        self.restart()

    def restart(self) -> None:
        """Nothing is known, as of a connection to come. While no thread tells of anything."""
        self._told = False
        self._named: dict[str, float] = {}  # since when each is known
        self._nameless: deque[float] = deque(maxlen=MAX_KNOWN)  # came without an id, or when there were too many
        self._crowded = False
        self._joined_s: float | None = None
        self._before_s: float | None = None  # when the first connection of a renewal had joined
        self._first_media_s: float | None = None
        self._media_s = -math.inf
        self._heard_s = -math.inf
        self._heard_before_s = -math.inf  # by the first connection of a renewal
        self._left_s = -math.inf
        self._own_until_s = -math.inf

    # --- what happens -------------------------------------------------------------------------------------------

    def joined(self, now: float) -> None:
        """The service said that it has joined the session to its room."""
        if self._joined_s is None:
            self._joined_s = now

    def media(self, now: float) -> None:
        """Room audio came, be it silence; so the room is joined. Receiver."""
        if self._first_media_s is None:
            self._first_media_s = now
        self._media_s = now

    def heard(self, now: float) -> None:
        """Room audio came that is not silence. Receiver."""
        self.media(now)
        if now >= self._own_until_s:
            self._heard_s = now

    def participant_joined(self, participant_id: str | None, now: float) -> None:
        """Somebody came, or was there already. The same id twice is one."""
        if participant_id is not None and participant_id == self._own_id:
            return
        self._told = True
        if participant_id is None or len(participant_id) > MAX_ID_CHARS:
            self._nameless.append(now)
        elif participant_id not in self._named:
            if len(self._named) < MAX_KNOWN:
                self._named[participant_id] = now
            else:
                self._crowded = True
                self._nameless.append(now)

    def participant_left(self, participant_id: str | None, now: float) -> None:
        """Somebody left; maybe one who was never told of, in which case nobody else is thought to be gone."""
        if participant_id is not None and participant_id == self._own_id:
            return
        self._told = True
        if participant_id in self._named:
            del self._named[participant_id]
        elif self._nameless and (self._crowded or participant_id is None or len(participant_id) > MAX_ID_CHARS):
            self._nameless.pop()
        if now >= self._own_until_s:
            self._left_s = now

    def take_over(self, first: Presence, asked_s: float, now: float) -> None:
        """A renewal: this connection carries the call from now on, `first` did until now.

        Whoever `first` knew before this session was asked for, at `asked_s`, is still here; who came later, as it was
        told, may be this very session. A device that was alone stays so, whatever it hears or sees go of itself.
        """
        alone = first.alone_since(now) is not None
        self._told = self._told or first._told
        for participant_id, since_s in first._named.items():
            if since_s < asked_s:
                self._named.setdefault(participant_id, since_s)
        nameless = [since_s for since_s in first._nameless if since_s < asked_s]
        if len(nameless) > len(self._nameless):  # those who were told to both are not to be counted twice
            self._nameless = deque(nameless, MAX_KNOWN)
        self._crowded = self._crowded or first._crowded
        self._before_s = first._since_s()
        self._heard_before_s = first._last_heard_s()
        self._left_s = max(self._left_s, first._left_s)
        self._own_until_s = now + OWN_S if alone else -math.inf

    # --- what is known ------------------------------------------------------------------------------------------

    @property
    def others(self) -> int | None:
        """How many others are known to be in the room; None where the service never told of anybody."""
        return len(self._named) + len(self._nameless) if self._told else None

    def alone_since(self, now: float) -> float | None:
        """Since when the device has been alone in the room, for all that can be known; None where it may not be."""
        since_s = self._since_s()
        if not self._is_joined() or since_s is None or self.others or self._hears(now):
            return None
        return max(since_s, self._last_heard_s(), self._left_s)

    def view(self, now: float) -> RoomView:
        """All of it."""
        alone_since_s = self.alone_since(now)
        alone_s = None if alone_since_s is None else now - alone_since_s
        return RoomView(self.describe(now), self._is_joined(), self.others, alone_s)

    def describe(self, now: float) -> str:
        """One clause for the status."""
        if not self._is_joined():
            return "waiting to be joined"
        if self._hears(now):
            return "joined, hearing the room"
        if self.others == 0:
            return "joined, nobody else here"
        match self.others:
            case None:
                who = "nobody else known"
            case 1:
                who = "1 other"
            case count:
                who = f"{count} others"
        silent = now - self._media_s <= HEARING_S
        what, last_s = ("only silence", self._last_heard_s()) if silent else ("no audio", self._media_s)
        since_s = max(last_s, self._since_s() or -math.inf)
        return f"joined, {who}, {what} from the room for {_lasting(now - since_s)}"

    def _is_joined(self) -> bool:
        return self._joined_s is not None or self._first_media_s is not None

    def _since_s(self) -> float | None:
        known = [s for s in (self._before_s, self._joined_s, self._first_media_s) if s is not None]
        return min(known, default=None)

    def _last_heard_s(self) -> float:
        return max(self._heard_s, self._heard_before_s)

    def _hears(self, now: float) -> bool:
        return now - self._last_heard_s() <= HEARING_S


def _lasting(seconds: float) -> str:
    """So short that a status line does not change every second for hours."""
    if seconds < 60.0:
        return f"{seconds // 10.0 * 10.0:.0f} s"
    return f"{seconds / 60.0:.0f} min" if seconds < 7200.0 else f"{seconds / 3600.0:.0f} h"
