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
    CREATING = "creating"
    CONNECTING = "connecting"
    STREAMING = "streaming"
    WAITING = "waiting"
    STOPPING = "stopping"
    STOPPED = "stopped"


class Happening(enum.Enum):
    """What can happen to a device."""

    START = "start"
    SESSION_CREATED = "session created"
    CONNECTED = "connected"
    FAILED = "failed"
    CLOSED = "closed"
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
    HANG_UP = "hang up"
    """`stop` and a close frame go out; the answer is waited for until the timer."""
    RELEASE = "release"
    """The connection is taken from sender and receiver and closed."""
    WAIT = "wait"
    """The timer is set to the next backoff."""
    HURRY = "hurry"
    """The wait ends soon: at once but for some jitter, as a whole site may have come back."""
    CANCEL_TIMER = "cancel timer"


_S, _H, _A = State, Happening, Action

TRANSITIONS: Final[dict[tuple[State, Happening], tuple[State, tuple[Action, ...]]]] = {
    (_S.IDLE, _H.START): (_S.CREATING, (_A.ATTEMPT,)),
    (_S.IDLE, _H.STOP): (_S.STOPPED, ()),
    (_S.CREATING, _H.SESSION_CREATED): (_S.CONNECTING, ()),
    (_S.CREATING, _H.FAILED): (_S.WAITING, (_A.WAIT,)),
    (_S.CREATING, _H.TIMER): (_S.WAITING, (_A.ABANDON, _A.WAIT)),
    (_S.CREATING, _H.NETWORK_BACK): (_S.CREATING, (_A.ABANDON, _A.ATTEMPT)),
    (_S.CREATING, _H.STOP): (_S.STOPPED, (_A.CANCEL_TIMER, _A.ABANDON)),
    (_S.CONNECTING, _H.CONNECTED): (_S.STREAMING, (_A.CANCEL_TIMER, _A.ADOPT)),
    (_S.CONNECTING, _H.FAILED): (_S.WAITING, (_A.WAIT,)),
    (_S.CONNECTING, _H.TIMER): (_S.WAITING, (_A.ABANDON, _A.WAIT)),
    (_S.CONNECTING, _H.NETWORK_BACK): (_S.CREATING, (_A.ABANDON, _A.ATTEMPT)),
    (_S.CONNECTING, _H.STOP): (_S.STOPPED, (_A.CANCEL_TIMER, _A.ABANDON)),
    (_S.STREAMING, _H.CLOSED): (_S.WAITING, (_A.RELEASE, _A.WAIT)),
    (_S.STREAMING, _H.NETWORK_BACK): (_S.STREAMING, ()),
    (_S.STREAMING, _H.STOP): (_S.STOPPING, (_A.HANG_UP,)),
    (_S.WAITING, _H.TIMER): (_S.CREATING, (_A.ATTEMPT,)),
    (_S.WAITING, _H.NETWORK_BACK): (_S.WAITING, (_A.HURRY,)),
    (_S.WAITING, _H.STOP): (_S.STOPPED, (_A.CANCEL_TIMER,)),
    (_S.STOPPING, _H.CLOSED): (_S.STOPPED, (_A.CANCEL_TIMER, _A.RELEASE)),
    (_S.STOPPING, _H.TIMER): (_S.STOPPED, (_A.RELEASE,)),
    (_S.STOPPING, _H.NETWORK_BACK): (_S.STOPPING, ()),
    (_S.STOPPING, _H.STOP): (_S.STOPPED, (_A.CANCEL_TIMER, _A.RELEASE)),
}


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
