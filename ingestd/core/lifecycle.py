"""The life of a device's connection as a table: (state, event) → (next state, actions).

Everything that decides *what happens next* is in this file; how it is done is the supervisor's. An event that
the table does not know in a state raises and changes nothing.
"""

from __future__ import annotations

import enum
from typing import Final


class State(enum.Enum):
    """Where the device stands; the value is what status and journal show."""

    IDLE = "idle"
    STANDBY = "standby"
    """No call is wanted now."""
    CREATING = "creating"
    CONNECTING = "connecting"
    STREAMING = "streaming"
    RENEWING = "renewing"
    """Streaming, while a second session is created"""
    RENEWING_CONNECTING = "renewing (connecting)"
    """and connected to."""
    OVERLAPPING = "overlapping"
    """Streaming, while the second connection joins the room."""
    REPLACING = "replacing"
    """Hanging up, with another call to follow at once."""
    WAITING = "waiting"
    HANGING_UP = "hanging up"
    STOPPING = "stopping"
    STOPPED = "stopped"


IN_THE_ROOM: Final = frozenset((State.STREAMING, State.RENEWING, State.RENEWING_CONNECTING, State.OVERLAPPING))
"""The states in which audio flows."""
ATTEMPTING: Final = frozenset((State.CREATING, State.CONNECTING, State.RENEWING, State.RENEWING_CONNECTING))
"""The states with an attempt under way."""


class Happening(enum.Enum):
    """What can happen to a device."""

    START = "start"
    """The daemon has begun; a call is wanted."""
    STAND_BY = "stand by"
    """The daemon has begun; no call is wanted yet."""
    CALL = "call"
    HANG_UP = "hang up"
    RENEW = "renew"
    """Another session is wanted: the present one is old, or made with what is no longer so."""
    REPLACE = "replace"
    """The same, but the present one is to end first."""
    SESSION_CREATED = "session created"
    CONNECTED = "connected"
    FAILED = "failed"
    """The attempt, or the second connection before it took over."""
    READY = "ready"
    """The second connection is in the room, and nothing is missed on it."""
    CLOSED = "closed"
    LIMIT = "limit"
    """The call has lasted long enough; another may follow later."""
    ENDED = "ended"
    """The call is over, and no other is wanted: in place of `failed` or `closed`."""
    TIMER = "timer"
    NETWORK_BACK = "network back"
    STOP = "stop"


class Action(enum.Enum):
    """What the supervisor then does, in the order given."""

    ATTEMPT = "attempt"
    """A new epoch: create a session with the backend and connect to it, in a thread of its own, until the timer."""
    ABANDON = "abandon"
    """Whatever the running attempt still brings is closed."""
    ADOPT = "adopt"
    """The new connection is handed to sender and receiver."""
    ACCOMPANY = "accompany"
    """The new connection is kept alive beside the present one, until it has joined or the timer is over."""
    SWITCH = "switch"
    """The audio goes over to the second connection, and the first one is hung up."""
    DROP_SECOND = "drop second"
    """The second connection is closed."""
    HANG_UP = "hang up"
    """`stop` and a close frame go out; the answer is waited for until the timer."""
    RELEASE = "release"
    """The connection is taken from sender and receiver and closed."""
    RENEW_LATER = "renew later"
    """The timer is set to the next backoff: the renewal failed."""
    WAIT = "wait"
    """The timer is set to the next backoff."""
    HURRY = "hurry"
    """The wait ends soon: at once but for some jitter, as a whole site may have come back."""
    CANCEL_TIMER = "cancel timer"


_S, _H, _A = State, Happening, Action
_Entry = tuple[State, tuple[Action, ...]]

_BEFORE: Final[dict[tuple[State, Happening], _Entry]] = {
    (_S.IDLE, _H.START): (_S.CREATING, (_A.ATTEMPT,)),
    (_S.IDLE, _H.STAND_BY): (_S.STANDBY, ()),
    (_S.IDLE, _H.STOP): (_S.STOPPED, ()),
    (_S.STANDBY, _H.CALL): (_S.CREATING, (_A.ATTEMPT,)),
    (_S.STANDBY, _H.STOP): (_S.STOPPED, ()),
    (_S.CREATING, _H.SESSION_CREATED): (_S.CONNECTING, ()),
    (_S.CONNECTING, _H.CONNECTED): (_S.STREAMING, (_A.CANCEL_TIMER, _A.ADOPT)),
    (_S.WAITING, _H.TIMER): (_S.CREATING, (_A.ATTEMPT,)),
    (_S.WAITING, _H.CALL): (_S.CREATING, (_A.CANCEL_TIMER, _A.ATTEMPT)),
    (_S.WAITING, _H.RENEW): (_S.CREATING, (_A.CANCEL_TIMER, _A.ATTEMPT)),
    (_S.WAITING, _H.REPLACE): (_S.CREATING, (_A.CANCEL_TIMER, _A.ATTEMPT)),
    (_S.WAITING, _H.NETWORK_BACK): (_S.WAITING, (_A.HURRY,)),
    (_S.WAITING, _H.HANG_UP): (_S.STANDBY, (_A.CANCEL_TIMER,)),
    (_S.WAITING, _H.STOP): (_S.STOPPED, (_A.CANCEL_TIMER,)),
}

_ATTEMPT: Final[dict[tuple[State, Happening], _Entry]] = {
    (state, happening): entry
    for state in (_S.CREATING, _S.CONNECTING)
    for happening, entry in {
        _H.FAILED: (_S.WAITING, (_A.WAIT,)),
        _H.ENDED: (_S.STANDBY, (_A.CANCEL_TIMER, _A.ABANDON)),
        _H.TIMER: (_S.WAITING, (_A.ABANDON, _A.WAIT)),
        _H.NETWORK_BACK: (_S.WAITING, (_A.ABANDON, _A.HURRY)),
        _H.RENEW: (_S.CREATING, (_A.ABANDON, _A.ATTEMPT)),
        _H.REPLACE: (_S.CREATING, (_A.ABANDON, _A.ATTEMPT)),
        _H.HANG_UP: (_S.STANDBY, (_A.CANCEL_TIMER, _A.ABANDON)),
        _H.STOP: (_S.STOPPED, (_A.CANCEL_TIMER, _A.ABANDON)),
    }.items()
}

_CALL: Final[dict[tuple[State, Happening], _Entry]] = {
    (_S.STREAMING, _H.RENEW): (_S.RENEWING, (_A.ATTEMPT,)),
    (_S.STREAMING, _H.REPLACE): (_S.REPLACING, (_A.HANG_UP,)),
    (_S.STREAMING, _H.CLOSED): (_S.WAITING, (_A.RELEASE, _A.WAIT)),
    (_S.STREAMING, _H.ENDED): (_S.STANDBY, (_A.CANCEL_TIMER, _A.RELEASE)),
    (_S.STREAMING, _H.LIMIT): (_S.WAITING, (_A.RELEASE, _A.WAIT)),
    (_S.STREAMING, _H.HANG_UP): (_S.HANGING_UP, (_A.HANG_UP,)),
    (_S.STREAMING, _H.STOP): (_S.STOPPING, (_A.HANG_UP,)),
}

_RENEWAL: Final[dict[tuple[State, Happening], _Entry]] = {
    (_S.RENEWING, _H.SESSION_CREATED): (_S.RENEWING_CONNECTING, ()),
    (_S.RENEWING_CONNECTING, _H.CONNECTED): (_S.OVERLAPPING, (_A.CANCEL_TIMER, _A.ACCOMPANY)),
    # The first one is gone before the second was there: what was a renewal goes on as an attempt.
    (_S.RENEWING, _H.CLOSED): (_S.CREATING, (_A.RELEASE,)),
    (_S.RENEWING_CONNECTING, _H.CLOSED): (_S.CONNECTING, (_A.RELEASE,)),
    **{
        (state, happening): entry
        for state in (_S.RENEWING, _S.RENEWING_CONNECTING)
        for happening, entry in {
            _H.FAILED: (_S.STREAMING, (_A.RENEW_LATER,)),
            _H.TIMER: (_S.STREAMING, (_A.ABANDON, _A.RENEW_LATER)),
            _H.RENEW: (_S.RENEWING, (_A.ABANDON, _A.ATTEMPT)),
            _H.REPLACE: (_S.REPLACING, (_A.CANCEL_TIMER, _A.ABANDON, _A.HANG_UP)),
            _H.LIMIT: (_S.WAITING, (_A.ABANDON, _A.RELEASE, _A.WAIT)),
            _H.ENDED: (_S.STANDBY, (_A.CANCEL_TIMER, _A.ABANDON, _A.RELEASE)),
            _H.HANG_UP: (_S.HANGING_UP, (_A.CANCEL_TIMER, _A.ABANDON, _A.HANG_UP)),
            _H.STOP: (_S.STOPPING, (_A.CANCEL_TIMER, _A.ABANDON, _A.HANG_UP)),
        }.items()
    },
    (_S.OVERLAPPING, _H.READY): (_S.STREAMING, (_A.CANCEL_TIMER, _A.SWITCH)),
    (_S.OVERLAPPING, _H.TIMER): (_S.STREAMING, (_A.SWITCH,)),
    # Also where the service ends the first because the second came: no fault.
    (_S.OVERLAPPING, _H.CLOSED): (_S.STREAMING, (_A.CANCEL_TIMER, _A.SWITCH)),
    (_S.OVERLAPPING, _H.FAILED): (_S.STREAMING, (_A.DROP_SECOND, _A.RENEW_LATER)),
    (_S.OVERLAPPING, _H.RENEW): (_S.RENEWING, (_A.DROP_SECOND, _A.ATTEMPT)),
    (_S.OVERLAPPING, _H.REPLACE): (_S.REPLACING, (_A.CANCEL_TIMER, _A.DROP_SECOND, _A.HANG_UP)),
    (_S.OVERLAPPING, _H.LIMIT): (_S.WAITING, (_A.DROP_SECOND, _A.RELEASE, _A.WAIT)),
    (_S.OVERLAPPING, _H.ENDED): (_S.STANDBY, (_A.CANCEL_TIMER, _A.DROP_SECOND, _A.RELEASE)),
    (_S.OVERLAPPING, _H.HANG_UP): (_S.HANGING_UP, (_A.CANCEL_TIMER, _A.DROP_SECOND, _A.HANG_UP)),
    (_S.OVERLAPPING, _H.STOP): (_S.STOPPING, (_A.CANCEL_TIMER, _A.DROP_SECOND, _A.HANG_UP)),
}

_END: Final[dict[tuple[State, Happening], _Entry]] = {
    (_S.REPLACING, _H.CLOSED): (_S.CREATING, (_A.CANCEL_TIMER, _A.RELEASE, _A.ATTEMPT)),
    (_S.REPLACING, _H.TIMER): (_S.CREATING, (_A.RELEASE, _A.ATTEMPT)),
    (_S.REPLACING, _H.HANG_UP): (_S.HANGING_UP, ()),
    (_S.REPLACING, _H.STOP): (_S.STOPPING, ()),
    (_S.HANGING_UP, _H.CALL): (_S.REPLACING, ()),
    (_S.HANGING_UP, _H.CLOSED): (_S.STANDBY, (_A.CANCEL_TIMER, _A.RELEASE)),
    (_S.HANGING_UP, _H.TIMER): (_S.STANDBY, (_A.RELEASE,)),
    (_S.HANGING_UP, _H.STOP): (_S.STOPPING, ()),
    (_S.STOPPING, _H.CLOSED): (_S.STOPPED, (_A.CANCEL_TIMER, _A.RELEASE)),
    (_S.STOPPING, _H.TIMER): (_S.STOPPED, (_A.RELEASE,)),
    (_S.STOPPING, _H.STOP): (_S.STOPPED, (_A.CANCEL_TIMER, _A.RELEASE)),
}

TRANSITIONS: Final[dict[tuple[State, Happening], _Entry]] = {**_BEFORE, **_ATTEMPT, **_CALL, **_RENEWAL, **_END}

_ANY_TIME: Final = (_H.CALL, _H.HANG_UP, _H.RENEW, _H.REPLACE, _H.NETWORK_BACK)
"""What people, programs and the network may ask at any time: where the table has no entry, it changes nothing."""
for _state in _S:
    if _state not in (_S.IDLE, _S.STOPPED):
        for _happening in _ANY_TIME:
            TRANSITIONS.setdefault((_state, _happening), (_state, ()))


class IllegalTransition(Exception):  # noqa: N818 - named for what it is
    """A bug of ours: the table has no entry for this event in this state."""


class Lifecycle:
    """The current state. One thread."""

    def __init__(self) -> None:
        self.state = State.IDLE

    def on(self, happening: Happening) -> tuple[Action, ...]:
        """Moves to the next state and returns what to do. Raises IllegalTransition and changes nothing."""
        entry = TRANSITIONS.get((self.state, happening))
        if entry is None:
            raise IllegalTransition(f"{happening.value!r} can't happen while {self.state.value}")
        self.state, actions = entry
        return actions
