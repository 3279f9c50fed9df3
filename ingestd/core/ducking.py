"""Half duplex without an echo canceller: the microphone is closed while the room's voice is in the air. Pure.

The receiver thread knows what it gives to the loudspeaker, and how much is queued before it: so it says ahead of
time from when to when the room can be heard here (`RoomVoice`). The capture thread silences the samples that were
captured in that time (`Ducker`). The room's own sound is never touched.

Voice is what stands out of the room's noise, and the noise is the least power of the last seconds (minimum
statistics, after R. Martin, "Noise power spectral density estimation based on optimal smoothing and minimum
statistics", IEEE Trans. Speech and Audio Processing 9(5), 2001, without the spectrum): speech pauses within that
time, noise does not. So a room that only hums leaves the microphone open, after it was closed for those seconds.
"""

from __future__ import annotations

import math
from array import array
from collections import deque
from typing import Final, NamedTuple

from ingestd.core.energy import mean_square
from ingestd.core.level import RAMP_SAMPLES, Fader, is_silence, power_of
from ingestd.core.wire import SAMPLE_RATE_HZ

HOLD_S: Final = 0.18
"""After the last voiced sample: 60 ms of a small place's echo, the rest for what devices hold back unseen."""
_RELEASE_SAMPLES: Final = 20 * SAMPLE_RATE_HZ // 1000
_STEP_SAMPLES: Final = 10 * SAMPLE_RATE_HZ // 1000
_LEAST_VOICE: Final = power_of(-50.0)
_NOTHING: Final = power_of(-70.0)
"""Less than this is no noise of the room's, but nobody's microphone being open."""
_OVER_NOISE: Final = 10.0
"""As powers: 10 dB. Noise itself strays by about 3 dB from one step to the next."""
_PARTS: Final = 6
_PART_SAMPLES: Final = SAMPLE_RATE_HZ // 2
_MARGIN_STEPS: Final = 10
"""So near to silence, sound is being faded in or out, and says nothing about the noise."""
_FORGET_SAMPLES: Final = 2 * SAMPLE_RATE_HZ
_SPANS_KEPT: Final = 3


class Span(NamedTuple):
    """A time in which the room's voice is in the air, CLOCK_MONOTONIC seconds."""

    from_s: float
    until_s: float


class RoomVoice:
    """Tells when the room's voice can be heard at the loudspeaker, its echo included. Receiver thread."""

    def __init__(self) -> None:
        self._noise = _NoiseFloor()
        self.spans: tuple[Span, ...] = ()
        """The last few, oldest first, replaced as a whole. Any thread."""

    def played(self, pcm: bytes, now: float, queued: int) -> None:
        """`pcm` was given to the loudspeaker at `now`, behind `queued` samples that it had not played yet."""
        until_s = self._voiced_until(pcm)
        if until_s is None:
            return
        until_s += now + queued / SAMPLE_RATE_HZ + HOLD_S
        spans = self.spans
        if spans and now <= spans[-1].until_s:
            self.spans = (*spans[:-1], Span(spans[-1].from_s, max(spans[-1].until_s, until_s)))
        else:
            # From now on, not only from when it is heard: what is too quiet before the voice to be seen as one
            # (an f, an h) is covered too, and no device is quicker than it says.
            self.spans = (*spans, Span(now, until_s))[-_SPANS_KEPT:]

    def _voiced_until(self, pcm: bytes) -> float | None:
        """Where in the block, in seconds, its last voiced step ends."""
        count = len(pcm) // 2
        if is_silence(pcm):
            self._noise.nothing(count)
            return None
        samples = array("h", pcm).tolist()
        steps = max(1, count // _STEP_SAMPLES)
        voiced_until = 0
        for number in range(steps):
            end = (number + 1) * _STEP_SAMPLES if number < steps - 1 else count
            step = samples[number * _STEP_SAMPLES : end]
            power = mean_square(step)
            if power > max(_LEAST_VOICE, _OVER_NOISE * self._noise.power):
                voiced_until = end
            self._noise.add(power, len(step))
        return voiced_until / SAMPLE_RATE_HZ if voiced_until else None


class Ducker:
    """Silences the microphone while the room's voice is in the air. Capture thread."""

    def __init__(self, voice: RoomVoice) -> None:
        self._voice = voice
        self._fader = Fader()

    def apply(self, pcm: bytes, complete_s: float) -> bytes:
        """`pcm` as the room may hear it; its last sample was captured at `complete_s` (CLOCK_MONOTONIC)."""
        count = len(pcm) // 2
        begin_s = complete_s - count / SAMPLE_RATE_HZ
        pieces = []
        done = 0
        for span in self._voice.spans:
            if span.until_s <= begin_s or span.from_s >= complete_s:
                continue
            first = max(done, math.floor((span.from_s - begin_s) * SAMPLE_RATE_HZ))
            end = min(count, max(first, math.ceil((span.until_s - begin_s) * SAMPLE_RATE_HZ)))
            pieces += [(done, first, 1.0), (first, end, 0.0)]
            done = end
        if not pieces:
            return self._fader.apply(pcm, 1.0, _RELEASE_SAMPLES)
        pieces.append((done, count, 1.0))
        return b"".join(
            self._fader.apply(pcm[2 * start : 2 * end], factor, _RELEASE_SAMPLES if factor else RAMP_SAMPLES)
            for start, end, factor in pieces
            if end > start
        )


class _NoiseFloor:
    """The least power of the last three seconds in which the room sent any sound; 0 until there were three."""

    def __init__(self) -> None:
        self._minima: deque[float] = deque([0.0] * _PARTS, maxlen=_PARTS)
        self._before_silence: deque[float] = deque()  # unless more follows; the last steps
        self._after_silence = _MARGIN_STEPS
        self._least = math.inf
        self._part = 0
        self._silent = 0
        self.power = 0.0

    def add(self, power: float, samples: int) -> None:
        """So loud was the next step."""
        if power < _NOTHING:
            self.nothing(samples)
            return
        self._silent = 0
        if self._after_silence:
            self._after_silence -= 1
            return
        self._before_silence.append(power)
        if len(self._before_silence) <= _MARGIN_STEPS:
            return
        self._part += samples
        self._least = min(self._least, self._before_silence.popleft())
        if self._part >= _PART_SAMPLES:
            self._minima.append(self._least)
            self._least, self._part = math.inf, 0
        self.power = min(self._least, *self._minima)

    def nothing(self, samples: int) -> None:
        """Silence says nothing about the noise; but after a while whoever speaks next is somebody else."""
        self._before_silence.clear()
        self._after_silence = _MARGIN_STEPS
        before, self._silent = self._silent, self._silent + samples
        if before < _FORGET_SAMPLES <= self._silent:
            self._forget()

    def _forget(self) -> None:
        self._minima.extend([0.0] * _PARTS)
        self._least, self._part = math.inf, 0
        self.power = 0.0
