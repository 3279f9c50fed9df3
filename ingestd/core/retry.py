"""How long to wait before the next attempt, by what ended the last one. Pure.

What passes by itself is tried again by exponential backoff with full jitter (`backoff`); what only a person can
mend is tried slowly; a call that was ended on purpose is no fault, but is not run after either.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Final

from ingestd.core.backoff import Backoff
from ingestd.core.times import DEFAULT, Times
from ingestd.errors import (
    BackendError,
    BackendFault,
    CertificateError,
    ChannelClosed,
    ChannelError,
    ProxyRefused,
    RemoteProtocolError,
    UpgradeRefused,
)

_EXPIRED: Final = 1008
_SPREAD: Final = 0.2
_SPREAD_OF_ASKED: Final = 0.5
"""With less, a fleet that was told to wait a minute comes back at more than 5 % of it a second."""
_REF_REFUSED: Final = (400, 401, 402, 403, 404, 409, 410)
"""HTTP statuses of the opening handshake: whatever they mean of other URLs, ours holds for one session only."""


class Cause(enum.Enum):
    """What kind of end it was; the value is shown."""

    TRANSIENT = "passes by itself"
    RATE_LIMITED = "asked to wait"
    EXPIRED = "session expired"
    PERSON = "a person's job"
    ENDED = "ended on purpose"


_OF_BACKEND: Final = {
    BackendFault.UNREACHABLE: Cause.TRANSIENT,
    BackendFault.TRANSIENT: Cause.TRANSIENT,
    BackendFault.BAD_ANSWER: Cause.TRANSIENT,  # a captive portal, a page about maintenance
    BackendFault.RATE_LIMITED: Cause.RATE_LIMITED,
    BackendFault.UNAUTHORIZED: Cause.PERSON,
    BackendFault.FORBIDDEN: Cause.PERSON,
    BackendFault.NOT_FOUND: Cause.PERSON,
    BackendFault.REFUSED: Cause.PERSON,
    BackendFault.TLS: Cause.PERSON,
    BackendFault.TOKEN: Cause.PERSON,
    BackendFault.PROXY: Cause.PERSON,
}


def cause_of(error: Exception) -> Cause:
    """What an attempt or a connection ended by. What nobody foresaw counts as passing."""
    match error:
        case BackendError():
            return _OF_BACKEND[error.fault]
        case CertificateError() | ProxyRefused():
            return Cause.PERSON
        case UpgradeRefused(status=429):
            return Cause.RATE_LIMITED
        case UpgradeRefused():
            return Cause.EXPIRED if error.status in _REF_REFUSED else Cause.TRANSIENT
        case ChannelClosed():
            if error.ended:
                return Cause.ENDED
            return Cause.EXPIRED if error.code == _EXPIRED else Cause.TRANSIENT
        case _:
            return Cause.TRANSIENT


def by_network(error: Exception) -> bool:
    """It may be over once the network is back: no server's answer, and nobody's purpose."""
    match error:
        case BackendError(fault=fault):
            return fault in (BackendFault.UNREACHABLE, BackendFault.TLS)
        case ChannelClosed(code=code):
            return code is None and not error.ended
        case UpgradeRefused() | ProxyRefused() | RemoteProtocolError():
            return False
        case _:
            return isinstance(error, ChannelError)


class Retry:
    """The waits of one device. `random` gives uniform numbers in [0, 1). One thread."""

    def __init__(self, random: Callable[[], float], times: Times = DEFAULT) -> None:
        self._random = random
        self._transient = Backoff(random, times.backoff_base_s, times.backoff_cap_s)
        self._person = Backoff(random, 2 * times.person_least_s, times.person_most_s, times.person_least_s)
        self._rejoin = Backoff(lambda: 1.0, times.rejoin_s, times.rejoin_most_s)
        self._expired_before = False

    def wait_s(self, cause: Cause, retry_after_s: float | None = None, took_s: float = 0.0) -> float:
        """How long to wait now, seconds; at least what the server asked for (`Retry-After`).

        `took_s` is how long the attempt took that failed, 0 for the end of a connection.
        """
        # Jitter comes on top: all who were told the same Retry-After must not come back as one.
        asked_s = max(0.0, retry_after_s or 0.0)
        return asked_s * (1.0 + _SPREAD_OF_ASKED * self._random()) + self._wait_s(cause, took_s)

    def _wait_s(self, cause: Cause, took_s: float) -> float:
        match cause:
            case Cause.PERSON:
                return self._person.next_s()
            case Cause.ENDED:
                wait_s = self._rejoin.next_s()
                return wait_s * (1.0 + _SPREAD * self._random())  # a room that ends, ends for all its devices
            case Cause.EXPIRED if not self._expired_before:
                self._expired_before = True
                return 0.0
            case _:
                return self._transient.next_s(took_s)

    def good(self) -> None:
        """A connection has lasted long enough: all waits begin anew."""
        for backoff in (self._transient, self._person, self._rejoin):
            backoff.reset()
        self._expired_before = False
