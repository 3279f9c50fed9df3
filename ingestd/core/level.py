"""Gain, mute and meters for 16-bit mono PCM at 8 kHz, in whole numbers and without a library. Pure.

Whoever carries the audio calls `apply` and `add`; what is to be and what was measured are single attributes, so
that any thread sets and reads them without a lock.
"""

from __future__ import annotations

import math
from array import array
from itertools import groupby
from typing import Final, NamedTuple

from ingestd.core.energy import mean_square
from ingestd.core.wire import FRAME_BYTES, SAMPLE_RATE_HZ

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
_KEPT_BYTES: Final = 32768
_LOOKED_AT_BYTES: Final = _KEPT_BYTES - 2048
"""Two seconds, less than is kept: the oldest may be overwritten while somebody reads, by 1600 bytes at once."""
_AT_THE_END: Final = (b"\xff\x7f", b"\x00\x80", b"\x01\x80")
"""A sample at either end of the scale, as bytes."""
_IN_A_ROW: Final = (2 * _AT_THE_END[0], *(one + other for one in _AT_THE_END[1:] for other in _AT_THE_END[1:]))


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
        self.wanted = (gain_db, _factor(gain_db))
        self.reached: tuple[float, float] | None = None
        """While this is `wanted` itself `apply` does nothing: whoever tests that saves 10 µs of a thread just woken."""

    @property
    def gain_db(self) -> float:
        """What was set last. Any thread."""
        return self.wanted[0]

    @property
    def clipped(self) -> int:
        """Samples that the gain drove beyond 16 bits. Any thread."""
        return self._fader.clipped

    def set(self, gain_db: float) -> None:
        """From the next block on. Any thread. Raises ValueError outside −60…30 dB."""
        if not LOWEST_GAIN_DB <= gain_db <= HIGHEST_GAIN_DB:
            raise ValueError(f"a gain is {LOWEST_GAIN_DB:g} to {HIGHEST_GAIN_DB:g} dB, not {gain_db:g}")
        self.wanted = (gain_db, _factor(gain_db))

    def apply(self, pcm: bytes) -> bytes:
        """The thread that carries the audio."""
        wanted = self.wanted
        out = self._fader.apply(pcm, wanted[1])
        if pcm and out is pcm:
            self.reached = wanted
        return out


class Mute:
    """Silence while `on`; samples flow on, as exact zeros. Goes and comes within 5 ms."""

    def __init__(self) -> None:
        self._fader = Fader()
        self.on = False
        """Any thread reads and sets it."""
        self.kept = True
        """A restart will know. Any thread reads it."""

    def begin(self, on: bool) -> None:
        """As it is from the very first sample on. Before any thread runs."""
        self.on = on
        self._fader = Fader(0.0 if on else 1.0)

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
        # Most blocks follow no run, hold none and end in none: bytes are searched in 0.5 µs, samples in 7.
        if not self._run[0] and pcm[-2:] not in _AT_THE_END and not any(map(pcm.__contains__, _IN_A_ROW)):
            return
        samples = array("h", pcm)
        for sign, run in groupby(map(_end_of_scale, samples)):
            length = sum(1 for _ in run)
            before = self._run[1] if self._run[0] == sign else 0
            if sign and before + length > 1:
                # The first of a run is counted once there is a second.
                self.clipped += length + (1 if before == 1 else 0)
            self._run = (sign, before + length if sign else 0)


class Meter:
    """Level (RMS over about 300 ms) and peak (held for a second, then falling) in dB of full scale.

    A sine at full scale shows a peak of 0 dBFS and a level of −3.01 dBFS. Whoever carries the audio only copies it, in
    0.3 µs a frame; whoever reads does the sums (10 µs). What nobody looked at within two seconds counts as silence.
    """

    def __init__(self) -> None:
        self._heard = _Heard()

    @property
    def level_dbfs(self) -> float:
        """Any thread."""
        return _dbfs(math.sqrt(self._heard.read().power))

    @property
    def peak_dbfs(self) -> float:
        """Any thread."""
        return _dbfs(self._heard.read().peak)

    def add(self, pcm: bytes) -> None:
        """The thread that carries the audio."""
        heard = self._heard
        at = heard.written % _KEPT_BYTES
        size = len(pcm)
        if at + size <= _KEPT_BYTES:
            heard.ring[at : at + size] = pcm
            heard.written += size
        else:
            self.add(pcm[: _KEPT_BYTES - at])
            self.add(pcm[_KEPT_BYTES - at :])

    def clear(self) -> None:
        """The device is gone: what it showed last is no longer so. The same thread."""
        self._heard = _Heard()


class _Reading(NamedTuple):
    """What a meter shows of the first `at` bytes; squares and samples of 16 bits."""

    at: int = 0
    power: float = 0.0
    peak: float = 0.0
    peak_age_s: float = 0.0

    def after(self, size: int, power: float, peak: int) -> _Reading:
        """So many bytes on, of that mean square and peak."""
        seconds = size / (2 * SAMPLE_RATE_HZ)
        held, age_s = self.peak, self.peak_age_s + seconds
        if peak >= held:
            held, age_s = float(peak), 0.0
        elif age_s > _PEAK_HOLD_S:
            held = max(float(peak), held * 10.0 ** (-_PEAK_FALL_DB_PER_S * seconds / 20.0))
        weight = math.exp(-seconds / _RMS_WINDOW_S)
        return _Reading(self.at + size, power + (self.power - power) * weight, held, age_s)


class _Heard:
    """What a meter was given last: one thread writes to `ring` and then `written`, any thread reads."""

    def __init__(self) -> None:
        self.ring = memoryview(bytearray(_KEPT_BYTES))  # a bytearray would copy what it is assigned once more
        self.written = 0
        self._reading = _Reading()  # whoever of two readers is later replaces it whole, and both are right

    def read(self) -> _Reading:
        """Up to what was written last."""
        reading, end = self._reading, self.written
        if reading.at == end:
            return reading
        kept = self.ring.tobytes() * 2
        if (missed := end - reading.at - _LOOKED_AT_BYTES) > 0:
            reading = reading.after(missed, 0.0, 0)
        while size := min(end - reading.at, FRAME_BYTES):
            start = reading.at % _KEPT_BYTES
            samples = array("h", kept[start : start + size]).tolist()
            highest, lowest = max(samples), min(samples)
            reading = reading.after(size, mean_square(samples), max(highest, -lowest))
        self._reading = reading
        return reading


def _factor(gain_db: float) -> float:
    return float(10.0 ** (gain_db / 20.0))


def _dbfs(amplitude: float) -> float:
    if amplitude <= 0.0:
        return FLOOR_DBFS
    return max(FLOOR_DBFS, min(0.0, 20.0 * math.log10(amplitude / FULL_SCALE)))


def _end_of_scale(sample: int) -> int:
    # Converters differ in whether they reach −32768.
    return (sample >= MAX_SAMPLE) - (sample <= -MAX_SAMPLE)
