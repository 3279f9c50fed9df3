"""What a sound would go on like by itself: linear prediction from its last 30 ms. Pure.

Autocorrelation method with Levinson's recursion (J. Makhoul, "Linear prediction: a tutorial review", Proc. IEEE 63(4),
1975), which never rings louder than the sound itself was.
"""

from __future__ import annotations

from array import array
from typing import Final

from ingestd.core.energy import dot

ORDER: Final = 16
_WINDOW: Final = 240
_WHITE: Final = 1.0001
"""A trace of noise, 40 dB down, without which silence and pure tones would have no answer."""


def go_on(history: array[int], samples: int) -> list[float]:
    """The next `samples` after `history`, of at least 240 samples at 8 kHz."""
    recent = history[-_WINDOW:]
    weights = _weights([dot(recent[lag:], recent[: _WINDOW - lag]) for lag in range(ORDER + 1)])
    sound = [float(sample) for sample in recent[-ORDER:]]
    for _ in range(samples):
        sound.append(dot(weights, sound[: -ORDER - 1 : -1]))
    return sound[ORDER:]


def _weights(correlations: list[float]) -> list[float]:
    """Of the last sample, the one before it, …: Levinson's recursion."""
    error = correlations[0] * _WHITE
    weights: list[float] = []
    for order in range(ORDER):
        if error <= 0.0:
            return weights + [0.0] * (ORDER - order)
        missed = correlations[order + 1] - dot(weights, correlations[order:0:-1])
        reflection = missed / error
        weights = [old - reflection * back for old, back in zip(weights, reversed(weights), strict=True)]
        weights.append(reflection)
        error *= 1.0 - reflection * reflection
    return weights
