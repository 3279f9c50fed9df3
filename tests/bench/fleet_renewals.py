"""When each device of a simulated fleet that streams wants another session: its own is old, or there is a new token.

Seconds from the moment the backend goes away; before it are negative ones.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import Final

from ingestd.core.calllimits import CallLimits
from ingestd.core.times import DEFAULT

MAX_AGE_S: Final = 3600.0
CONNECTED_WITHIN_S: Final = 60.0
"""The whole fleet, as after a power cut of a site."""
CONNECTED_FROM_S: Final = 300.0 - MAX_AGE_S
"""So that five minutes later the backend is back while devices grow old as fast as ever, on top of all that wait."""
_BEAT_S: Final = 1.0
"""How often a device looks at ages and files."""


def of_old_sessions(devices: int, random: Callable[[], float]) -> list[float]:
    """Each by its own `CallLimits`, at the first beat at which these want it."""
    return [_when_old_s(random) for _ in range(devices)]


def of_a_new_token(devices: int, random: Callable[[], float], at_s: float) -> list[float]:
    """One token for all is renewed at `at_s`; each device sees it at its next beat, and takes it in its own time."""
    return [at_s + _BEAT_S * random() + DEFAULT.renew_jitter_s * random() for _ in range(devices)]


def _when_old_s(random: Callable[[], float]) -> float:
    limits = CallLimits(MAX_AGE_S, None, None, random)
    connected_s = CONNECTED_FROM_S + CONNECTED_WITHIN_S * random()
    first_beat_s = connected_s + _BEAT_S * random()
    beats = range(round(MAX_AGE_S / _BEAT_S) + 1)
    # What is old stays old: so the first such beat is found by halving.
    beat = bisect_left(beats, True, key=lambda n: limits.renew(connected_s, first_beat_s + n * _BEAT_S) is not None)
    return first_beat_s + beat * _BEAT_S
