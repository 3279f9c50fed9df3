"""What this process has open, and what a piece of code left open."""

from __future__ import annotations

import contextlib
import os
from collections import Counter


def open_descriptors() -> list[str]:
    """What each descriptor of this process leads to."""
    found = []
    for descriptor in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # that of the listing itself, or one that a thread has closed just now
            found.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    return sorted(found)


def left_open(before: list[str]) -> list[str]:
    """What is open that was not `before` (`open_descriptors`).

    What has gone since is not asked for: a thread of an earlier test may have closed it late.
    """
    return sorted((Counter(open_descriptors()) - Counter(before)).elements())
