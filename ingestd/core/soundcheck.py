"""What a microphone's level says about it. Pure; any thread."""

from __future__ import annotations

import math
from array import array
from typing import Final, NamedTuple

from ingestd.core.check import Check, failed, ok, warning
from ingestd.core.energy import mean_square
from ingestd.core.level import FLOOR_DBFS, FULL_SCALE, FullScale, Gain

QUIET_DBFS: Final = -70.0
"""A microphone whose peak is below it hears nothing that its own noise would not drown."""


def judged_level(name: str, shown: str, peak_dbfs: float, clipped: int) -> Check:
    """What a microphone's peak, and its samples that were cut off, say about it."""
    if peak_dbfs <= FLOOR_DBFS:
        return failed(
            name,
            f"digital silence: every sample is zero ({shown})",
            "a switch of the hardware is off, or it is another input: see `amixer`, audio.capture.mixer and channel",
        )
    if clipped:
        return warning(
            name,
            f"{clipped} samples were cut off: it is too loud ({shown})",
            "lower audio.capture.gain_db, or the card's own level (audio.capture.mixer)",
        )
    if peak_dbfs < QUIET_DBFS:
        remedy = "speak into it; then see the card's own level (audio.capture.mixer)"
        return warning(name, f"next to nothing is heard ({shown})", remedy)
    return ok(name, shown)


class Measured(NamedTuple):
    """A few seconds of a microphone."""

    level_dbfs: float
    """RMS over all of it."""
    peak_dbfs: float
    clipped: int
    """Samples cut off, by the converter or by the gain."""


def measured(pcm: bytes, gain_db: float) -> Measured:
    """What 16-bit mono PCM is like after the gain."""
    gain, full_scale = Gain(gain_db), FullScale()
    if gain_db <= 0.0:
        full_scale.add(pcm)
    samples = array("h", gain.apply(pcm)).tolist()
    if not samples:
        return Measured(FLOOR_DBFS, FLOOR_DBFS, 0)
    peak = max(map(abs, samples))
    return Measured(_dbfs(math.sqrt(mean_square(samples))), _dbfs(peak), full_scale.clipped + gain.clipped)


def _dbfs(amplitude: float) -> float:
    return max(FLOOR_DBFS, round(20.0 * math.log10(amplitude / FULL_SCALE), 1)) if amplitude > 0 else FLOOR_DBFS
