"""What reached the room from a microphone of numbered frames: number, moment and age of each, over all sessions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tests.rig.memory_ports import frame_numbers
from tests.standin.control import Control

STALE_MS = 250.0
"""What is older on arrival is then, not now."""


class Heard:
    """Every frame that the stand-in was sent, in the order of its coming. Only 20 ms frames are expected."""

    def __init__(self, room: Control, start_s: float, frame_s: float, calls: Sequence[str] | None = None) -> None:
        """`start_s`, `frame_s`: of the microphone (`NumberedSource`). `calls`: the sessions, all of them if None."""
        times: list[NDArray[np.float64]] = [np.empty(0)]
        numbers: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
        for call_id in [call.call_id for call in room.calls()] if calls is None else calls:
            kept = room.received(call_id)
            assert set(kept.sizes_bytes.tolist()) <= {320}
            times.append(kept.times_s)
            numbers.append(frame_numbers(kept.samples.reshape(-1, 160)))
        order = np.argsort(np.concatenate(times), kind="stable")
        self.times_s = np.concatenate(times)[order]
        """When each came (CLOCK_MONOTONIC)."""
        self.numbers = np.concatenate(numbers)[order]
        """Its number; 0 for silence, -1 for one that is torn."""
        self.ages_ms = (self.times_s - start_s - self.numbers * frame_s) * 1000
        """From its last sample to its coming."""

    @property
    def lost(self) -> NDArray[np.int64]:
        """Numbers between the first and the last that never came."""
        whole = self._whole
        return np.setdiff1d(np.arange(whole.min(), whole.max() + 1), whole)

    @property
    def doubled(self) -> int:
        """How many came once more than once."""
        return len(self._whole) - len(np.unique(self._whole))

    @property
    def _whole(self) -> NDArray[np.int64]:
        return self.numbers[self.numbers > 0]

    @property
    def longest_gap_s(self) -> float:
        """The longest time in which nothing came."""
        return float(np.diff(self.times_s).max())

    def stale_after(self, moment_s: float) -> int:
        """Frames older than STALE_MS that came in after `moment_s`."""
        return int(np.sum((self.times_s >= moment_s) & (self.ages_ms > STALE_MS)))

    def oldest_after_ms(self, moment_s: float) -> float:
        """The greatest age of what came in after `moment_s`."""
        return float(self.ages_ms[self.times_s >= moment_s].max())

    def first_after_s(self, moment_s: float) -> float:
        """Seconds from `moment_s` to the next fresh frame; infinity where none came."""
        fresh = (self.times_s >= moment_s) & (self.ages_ms <= STALE_MS)
        return float(np.min(self.times_s[fresh], initial=np.inf) - moment_s)
