"""A deadline over many steps together: a time-out on each of them is never met by a peer that trickles."""

from __future__ import annotations

import time


def left_s(deadline_s: float) -> float:
    """Seconds until `deadline_s` (CLOCK_MONOTONIC), for `settimeout`. Raises TimeoutError where it is over."""
    left = deadline_s - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left
