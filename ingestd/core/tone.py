"""The tone that a loudspeaker is tried with. Pure."""

from __future__ import annotations

import math
from array import array
from typing import Final

from ingestd.core.wire import SAMPLE_RATE_HZ

TONE_S: Final = 1.0
_HZ: Final = 440.0
_PEAK: Final = 3277  # −20 dB of full scale: heard in a quiet room, and nobody is startled


def tone() -> bytes:
    """16-bit mono PCM at 8 kHz, `TONE_S` long; comes and goes within 20 ms, as else it would click."""
    count, ramp = int(TONE_S * SAMPLE_RATE_HZ), SAMPLE_RATE_HZ // 50
    factor = 2 * math.pi * _HZ / SAMPLE_RATE_HZ
    loud = (min(1.0, n / ramp, (count - n) / ramp) * _PEAK for n in range(count))
    return array("h", (round(peak * math.sin(factor * n)) for n, peak in enumerate(loud))).tobytes()
