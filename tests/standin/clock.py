"""The room's clock: one tick every 20 ms on an absolute grid that never drifts.

A kernel timer (timerfd) keeps the grid, so a late wake-up delays one tick and none after it, and ticks missed
while the process was stopped are made up. The event loop's own timers round to a millisecond; this does not.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import struct
import time
from collections.abc import Callable

TICK_NS = 20_000_000
"""One tick (nanoseconds)."""
TICK_S = TICK_NS / 1e9
"""One tick (seconds)."""

_TFD_NONBLOCK = 0o4000
_TFD_CLOEXEC = 0o2000000
_TFD_TIMER_ABSTIME = 1


class Ticker:
    """Calls `on_tick(n)` at `epoch_ns + n * TICK_NS` of the monotonic clock, for n = 1, 2, 3, …"""

    def __init__(self, on_tick: Callable[[int], None]) -> None:
        self._on_tick = on_tick
        self._fd = -1
        self.epoch_ns = time.monotonic_ns()
        """Monotonic time of tick 0 (nanoseconds)."""
        self.ticks = 0
        """Number of the last tick that was called."""
        self.made_up = 0
        """Ticks that were called late, together with a later one."""
        self.worst_late_ms = 0.0
        """How late the latest tick was called (milliseconds)."""

    def start(self) -> None:
        """Begin ticking on the running event loop."""
        libc = ctypes.CDLL(None, use_errno=True)
        fd = libc.timerfd_create(time.CLOCK_MONOTONIC, _TFD_NONBLOCK | _TFD_CLOEXEC)
        if fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self.epoch_ns = time.monotonic_ns()
        first = divmod(self.epoch_ns + TICK_NS, 1_000_000_000)
        spec = struct.pack("@4l", 0, TICK_NS, *first)
        if libc.timerfd_settime(fd, _TFD_TIMER_ABSTIME, spec, None) != 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime")
        self._fd = fd
        asyncio.get_running_loop().add_reader(fd, self._ready)

    def stop(self) -> None:
        """Stop ticking."""
        if self._fd >= 0:
            asyncio.get_running_loop().remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def time_of(self, tick: int) -> float:
        """Monotonic time of a tick (seconds)."""
        return (self.epoch_ns + tick * TICK_NS) / 1e9

    def tick_at(self, at_s: float) -> int:
        """Number of the first tick not before the monotonic time `at_s` (seconds)."""
        return -((self.epoch_ns - round(at_s * 1e9)) // TICK_NS)

    def _ready(self) -> None:
        try:
            expired = int.from_bytes(os.read(self._fd, 8), "little")
        except BlockingIOError:
            return
        late_ms = (time.monotonic() - self.time_of(self.ticks + 1)) * 1e3
        self.worst_late_ms = max(self.worst_late_ms, late_ms)
        self.made_up += expired - 1
        for _ in range(expired):
            self.ticks += 1
            self._on_tick(self.ticks)
