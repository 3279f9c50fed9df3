"""Notices that the wall clock was set: by NTP after a boot in the past, by a person, by waking from a suspend. Pure."""

from __future__ import annotations

from typing import Final

STEP_S: Final = 1.0
"""A leap second, and what passes between the two readings on a busy machine, is no step."""


class ClockWatch:
    """The wall clock against CLOCK_MONOTONIC, from one look to the next. One thread.

    Slewing moves both alike, so it can't be seen here (clock_gettime(2)). A suspend stops only the monotonic one.
    """

    def __init__(self) -> None:
        self._offset_s: float | None = None

    def stepped(self, monotonic_s: float, wall_s: float) -> float | None:
        """By how many seconds the wall clock was stepped since the last look, negative for back; None for not at all.

        `wall_s` is in seconds since 1970. The first look has nothing to compare with. Ask about once a second.
        """
        offset_s = wall_s - monotonic_s
        before_s, self._offset_s = self._offset_s, offset_s
        if before_s is None or abs(offset_s - before_s) <= STEP_S:
            return None
        return offset_s - before_s
