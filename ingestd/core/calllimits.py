"""When a session is renewed and when a call is over, by what the configuration allows. Pure.

A call lasts from its first connection to its end, over all renewals; a session is one connection of it.
All times are CLOCK_MONOTONIC seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

_SPREAD: Final = 0.1
"""By how much of its age at most a session is renewed early, so that devices that came together part."""


class CallLimits:
    """The limits of one device's calls; None is no limit. One thread, as `change` is more than one step."""

    def __init__(
        self,
        max_age_s: float | None,
        max_call_s: float | None,
        hangup_when_alone_s: float | None,
        random: Callable[[], float],
    ) -> None:
        """`random` gives uniform numbers in [0, 1); it is asked once, so that every answer depends on times alone."""
        self._share = 1.0 - _SPREAD * random()
        self.change(max_age_s, max_call_s, hangup_when_alone_s)

    def change(self, max_age_s: float | None, max_call_s: float | None, hangup_when_alone_s: float | None) -> None:
        """Other limits from now on, for what is under way too."""
        self._max_age_s = max_age_s
        self._max_call_s = max_call_s
        self._alone_s = hangup_when_alone_s

    def renew(self, session_since_s: float, now: float) -> str | None:
        """Why the session that was connected at `session_since_s` is to be renewed now, or None."""
        age_s = now - session_since_s
        if self._max_age_s is None or age_s < self._max_age_s * self._share:
            return None
        return f"the session is {age_s:.0f} s old and session.max_age_s is {self._max_age_s:g}: renewing it"

    def over(self, call_since_s: float, alone_since_s: float | None, now: float) -> str | None:
        """Why the call that was first connected at `call_since_s` is over now, or None.

        `alone_since_s`: since when nobody else is in the room; None where somebody is, or may be.
        """
        length_s = now - call_since_s
        if self._max_call_s is not None and length_s >= self._max_call_s:
            return f"the call has lasted {length_s:.0f} s and session.max_call_s is {self._max_call_s:g}"
        if self._alone_s is None or alone_since_s is None or now - alone_since_s < self._alone_s:
            return None
        alone_s = now - alone_since_s
        return f"alone in the room for {alone_s:.0f} s and session.hangup_when_alone_s is {self._alone_s:g}"
