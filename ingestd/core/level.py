"""Gain, mute and meters for 16-bit mono PCM at 8 kHz, in whole numbers and without a library. Pure.

Whoever carries the audio calls `apply` and `add`; what is to be and what was measured are single attributes, so
that any thread sets and reads them without a lock.
"""

from __future__ import annotations

import math
from array import array
from itertools import groupby
from typing import Final

from ingestd.core.energy import mean_square
from ingestd.core.wire import SAMPLE_RATE_HZ

MAX_SAMPLE: Final = 32767
MIN_SAMPLE: Final = -32768
FULL_SCALE: Final = 32768.0
FLOOR_DBFS: Final = -96.0
"""What silence is shown as: below one step of 16 bits, and a number, as JSON has no infinity."""
RAMP_SAMPLES: Final = 5 * SAMPLE_RATE_HZ // 1000
"""5 ms: short enough to lose no sound of speech, long enough not to click."""
LOWEST_GAIN_DB: Final = -60.0
HIGHEST_GAIN_DB: Final = 30.0
_FRACTION_BITS: Final = 20
_ONE: Final = 1 << _FRACTION_BITS
_HALF: Final = _ONE >> 1
_RMS_WINDOW_S: Final = 0.3
_PEAK_HOLD_S: Final = 1.0
_PEAK_FALL_DB_PER_S: Final = 20.0

def power_of(dbfs: float) -> float:
    """The mean square of samples at that RMS level."""
    return float((FULL_SCALE * 10.0 ** (dbfs / 20.0)) ** 2)


def is_silence(pcm: bytes) -> bool:
    """Whether every sample is zero; far quicker than looking at the samples."""
    return not pcm.strip(b"\0")


class Fader:
    """A factor that moves to where it is told on a straight line, across blocks of any size. One thread's own."""

    def __init__(self, factor: float = 1.0) -> None:
        self._now = factor
        self._target = factor
        self._step = 0.0
        self._left = 0
        self.clipped = 0
        """Samples that did not fit into 16 bits and were cut to the nearest that does. Any thread."""

    def apply(self, pcm: bytes, target: float, ramp_samples: int = RAMP_SAMPLES) -> bytes:
        """The same samples times the factor, which reaches `target` within `ramp_samples`.

        At a steady 1 these are the very bytes that came in, at a steady 0 exact zeros.
        """
        if target != self._target:
            self._target = target
            self._left = ramp_samples
            self._step = (target - self._now) / ramp_samples
        if not self._left:
            if self._now == 1.0:
                return pcm
            if self._now == 0.0:
                return bytes(len(pcm))
        loudest = max(self._now, target)
        samples = array("h", pcm).tolist()
        ramp = min(self._left, len(samples))
        out: list[int] = []
        if ramp:
            now, step = self._now, self._step
            out = [round((now + step * number) * sample) for number, sample in enumerate(samples[:ramp], 1)]
            self._left -= ramp
            self._now = now + step * ramp if self._left else target
        if ramp < len(samples):
            factor = round(target * _ONE)
            out += [(sample * factor + _HALF) >> _FRACTION_BITS for sample in samples[ramp:]]
        if loudest > 1.0 and out and (max(out) > MAX_SAMPLE or min(out) < MIN_SAMPLE):
            out = self._saturated(out)
        return array("h", out).tobytes()

    def _saturated(self, samples: list[int]) -> list[int]:
        fitting = [min(MAX_SAMPLE, max(MIN_SAMPLE, sample)) for sample in samples]
        self.clipped += sum(map(int.__ne__, samples, fitting))
        return fitting


class Gain:
    """Makes louder or quieter; a change while it runs takes 5 ms."""

    def __init__(self, gain_db: float = 0.0) -> None:
        self._fader = Fader(_factor(gain_db))
        self._wanted = (gain_db, _factor(gain_db))

    @property
    def gain_db(self) -> float:
        """What was set last. Any thread."""
        return self._wanted[0]

    @property
    def clipped(self) -> int:
        """Samples that the gain drove beyond 16 bits. Any thread."""
        return self._fader.clipped

    def set(self, gain_db: float) -> None:
        """From the next block on. Any thread. Raises ValueError outside −60…30 dB."""
        if not LOWEST_GAIN_DB <= gain_db <= HIGHEST_GAIN_DB:
            raise ValueError(f"a gain is {LOWEST_GAIN_DB:g} to {HIGHEST_GAIN_DB:g} dB, not {gain_db:g}")
        self._wanted = (gain_db, _factor(gain_db))

    def apply(self, pcm: bytes) -> bytes:
        """The thread that carries the audio."""
        return self._fader.apply(pcm, self._wanted[1])


class Mute:
    """Silence while `on`; samples flow on, as exact zeros. Goes and comes within 5 ms."""

    def __init__(self) -> None:
        self._fader = Fader()
        self.on = False
        """Any thread reads and sets it."""

    def apply(self, pcm: bytes) -> bytes:
        """The thread that carries the audio."""
        return self._fader.apply(pcm, 0.0 if self.on else 1.0)


class FullScale:
    """Counts samples that a microphone's converter has cut off already: two or more in a row at full scale.

    One alone may be the top of an honest wave. Runs are followed across blocks.
    """

    def __init__(self) -> None:
        self._run = (0, 0)  # the sign of the run that the last block ended in, and its length
        self.clipped = 0
        """Any thread."""

    def add(self, pcm: bytes) -> None:
        """The thread that carries the audio."""
        samples = array("h", pcm).tolist()
        if not samples or (max(samples) < MAX_SAMPLE and min(samples) > -MAX_SAMPLE):
            self._run = (0, 0)
            return
        for sign, run in groupby(map(_end_of_scale, samples)):
            length = sum(1 for _ in run)
            before = self._run[1] if self._run[0] == sign else 0
            if sign and before + length > 1:
                # The first of a run is counted once there is a second.
                self.clipped += length + (1 if before == 1 else 0)
            self._run = (sign, before + length if sign else 0)


class Meter:
    """Level (RMS over about 300 ms) and peak (held for a second, then falling) in dB of full scale.

    A sine at full scale shows a peak of 0 dBFS and a level of −3.01 dBFS.
    """

    def __init__(self) -> None:
        self._reading = (0.0, 0.0)  # mean square and peak, replaced together
        self._peak_age_s = 0.0

    @property
    def level_dbfs(self) -> float:
        """Any thread."""
        return _dbfs(math.sqrt(self._reading[0]))

    @property
    def peak_dbfs(self) -> float:
        """Any thread."""
        return _dbfs(self._reading[1])

    def add(self, pcm: bytes) -> None:
        """The thread that carries the audio."""
        count = len(pcm) // 2
        if not count:
            return
        power_now, held = self._reading
        seconds = count / SAMPLE_RATE_HZ
        power, peak = 0.0, 0
        if not is_silence(pcm):
            samples = array("h", pcm).tolist()
            power = mean_square(samples)
            highest, lowest = max(samples), min(samples)
            peak = max(highest, -lowest)
        if peak >= held:
            held, self._peak_age_s = float(peak), 0.0
        else:
            self._peak_age_s += seconds
            if self._peak_age_s > _PEAK_HOLD_S:
                held = max(float(peak), held * 10.0 ** (-_PEAK_FALL_DB_PER_S * seconds / 20.0))
        power_now += (power - power_now) * (1.0 - math.exp(-seconds / _RMS_WINDOW_S))
        self._reading = (power_now, held)

    def clear(self) -> None:
        """The device is gone: what it showed last is no longer so. The same thread."""
        self._reading = (0.0, 0.0)
        self._peak_age_s = 0.0


def _factor(gain_db: float) -> float:
    return float(10.0 ** (gain_db / 20.0))


def _dbfs(amplitude: float) -> float:
    if amplitude <= 0.0:
        return FLOOR_DBFS
    return max(FLOOR_DBFS, min(0.0, 20.0 * math.log10(amplitude / FULL_SCALE)))


def _end_of_scale(sample: int) -> int:
    # Converters differ in whether they reach −32768.
    return (sample >= MAX_SAMPLE) - (sample <= -MAX_SAMPLE)
