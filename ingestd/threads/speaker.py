"""The loudspeaker with its life: opened, kept at its fill, measured, lost, looked for again. Receiver thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from ingestd.audio.ports import Negotiated, Sink
from ingestd.core.backoff import Reopening
from ingestd.core.devicefill import DeviceFill
from ingestd.core.drift import LOOKED_AT_TOGETHER, Drift
from ingestd.core.ducking import RoomVoice
from ingestd.core.faults import Loss
from ingestd.core.level import Gain, Meter
from ingestd.core.playout import Playout
from ingestd.core.wire import SAMPLE_RATE_HZ
from ingestd.errors import DeviceError
from ingestd.threads.mailbox import DeviceChanged, Mailbox

_STUCK_AFTER_S: Final = 1.0
_SHORTEST_WAIT_S: Final = 0.005
_LEAST_WRITE_SAMPLES: Final = 10 * SAMPLE_RATE_HZ // 1000
_REOPEN_S: Final = 0.5
_STEP_S: Final = 1.0
_HEARD_AT_ONCE: Final = 5

LONGEST_WAIT_S: Final = 0.025
"""Half of the least fill. Frames that come a little late every 20 ms come before that."""
LATE_S: Final = 0.04
"""Who feeds no sooner than that has overslept."""


class Speaker:
    """Feeds the sink from the playout. Its counters and meters may be read by any thread."""

    def __init__(
        self,
        sink: Sink,
        playout: Playout,
        mailbox: Mailbox,
        gain_db: float = 0.0,
        voice: RoomVoice | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`voice` hears of everything that will be played, for a microphone that is to be closed meanwhile."""
        self._sink = sink
        self._playout = playout
        self._mailbox = mailbox
        self._voice = voice
        self._clock = clock
        self._reopening = Reopening(_REOPEN_S)
        self._next_try_s = 0.0
        self.loss = Loss()
        """The present one, where there is one."""
        self.device: str | None = None
        self.negotiated: Negotiated | None = None
        """Of the last opening; None before the first."""
        self.lost = True
        self.played_samples = 0
        self.queued_samples = 0
        """What the device held back when it was last asked: its part of the delay."""
        self.gain = Gain(gain_db)
        self.meter = Meter()
        """Of what is played."""
        self.drift = Drift()
        self._fill = DeviceFill(0, SAMPLE_RATE_HZ, 0.0)
        self._fed_s = 0.0
        self._step_s = 0.0
        self._moved_s = 0.0  # when the device last took or played anything
        self._underruns = 0
        self._rest = b""
        self._heard: list[bytes] = []  # what the meter does not know of yet
        self.unplayed_samples = 0
        """Pulled, and then lost with the device."""

    @property
    def underruns(self) -> int:
        """How often the device itself ran dry. Any thread."""
        return self._sink.underruns

    def catch_up(self, now: float) -> None:
        """To be called before what came is pushed: where nobody fed the device in time, the playout is told.

        That the device ran dry meanwhile is so as surely as its clock runs, whether or not it reports an underrun.
        """
        away_s = now - self._fed_s
        if self.lost or away_s <= LATE_S:
            return
        dry_s = max(0.0, away_s - self.queued_samples / SAMPLE_RATE_HZ)
        self._playout.starved(round(dry_s * SAMPLE_RATE_HZ))
        self._fed_s += dry_s

    def feed(self, now: float) -> float:
        """Tops up the device from the playout; returns when to come back at the latest."""
        try:
            if self.lost and not self._reopen(now):
                self._playout.discard()
                return now + LONGEST_WAIT_S
            self._fed_s = now
            queued = self._sink.queued()
            if queued != self.queued_samples:
                self._moved_s = now
            if now >= self._step_s:
                self._step_s = now + _STEP_S
                self._fill.step(now)
            if queued > 0 and self._sink.underruns == self._underruns:
                # The time after the device was asked: so the count is late where this was held up, never early.
                observed = self.drift.observed
                observed.append((self._clock(), self.played_samples - queued))
                if len(observed) >= LOOKED_AT_TOGETHER:
                    self.drift.look()
            else:
                self._interrupted(now)
            wanted = self._fill.samples - queued
            if wanted >= _LEAST_WRITE_SAMPLES:
                pcm = self._rest
                if (more := wanted - len(pcm) // 2) > 0:
                    pulled, gain = self._playout.pull(more), self.gain
                    pcm += pulled if gain.reached is gain.wanted else gain.apply(pulled)
                self._rest = pcm  # all of it, where the device is lost in this write
                taken = self._sink.write(pcm)
                self._rest = pcm[2 * taken :]  # a device may take less than it has room for
                if taken:
                    self._moved_s = now
                    self.played_samples += taken
                    pcm, heard = pcm[: 2 * taken], self._heard
                    heard.append(pcm)
                    if len(heard) >= _HEARD_AT_ONCE:
                        self.meter.add(b"".join(heard))
                        heard.clear()
                    if self._voice is not None:
                        self._voice.played(pcm, now, queued)
                    queued += taken
            self.queued_samples = queued
            if now - self._moved_s > _STUCK_AFTER_S:
                raise DeviceError(f"playback device {self.device!r} is open but plays nothing")
        except DeviceError as error:
            self._lose(error, now)
            return now + LONGEST_WAIT_S
        return now + max(_SHORTEST_WAIT_S, queued / 2 / SAMPLE_RATE_HZ)

    def close(self) -> None:
        """Lets go of the device."""
        self._sink.close()

    def _interrupted(self, now: float) -> None:
        """It ran dry: time went by in which nothing was there to be counted."""
        underruns = self._sink.underruns
        if underruns != self._underruns:
            self._fill.ran_dry(now)
        self._underruns = underruns
        self.drift.interrupted()

    def _reopen(self, now: float) -> bool:
        if now < self._next_try_s:
            return False
        negotiated = self._sink.open()
        self.negotiated = negotiated
        self.device = negotiated.device
        self._fill = DeviceFill(negotiated.period_samples, negotiated.buffer_samples, now)
        self._underruns = self._sink.underruns
        self._moved_s = now
        self.queued_samples = 0
        self.drift.restart()  # maybe another device by the same name
        self.lost = False
        self.loss.over()
        self._mailbox.post(DeviceChanged("playback", self.device, None, negotiated))
        return True

    def _lose(self, error: DeviceError, now: float) -> None:
        self._sink.close()
        self.unplayed_samples += len(self._rest) // 2
        self._rest = b""
        self.lost = True
        self.queued_samples = 0
        self._heard.clear()
        self.meter.clear()
        self._next_try_s = now + self._reopening.wait_s(error)
        if self.loss.goes_on(error.key, now):
            self._mailbox.post(DeviceChanged("playback", self.device or "", error))
