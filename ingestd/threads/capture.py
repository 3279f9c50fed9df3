"""The capture thread: microphone → ring, and the clock that goes with it. It never waits for anybody else."""

from __future__ import annotations

import time
from typing import Final

from ingestd.audio.ports import Block, Negotiated, Source
from ingestd.core import pacing
from ingestd.core.backoff import Reopening
from ingestd.core.drift import Drift
from ingestd.core.ducking import Ducker, RoomVoice
from ingestd.core.faults import Loss
from ingestd.core.level import FullScale, Gain, Meter, Mute
from ingestd.core.ring import SampleRing
from ingestd.core.sampleclock import SampleClock
from ingestd.core.wire import FRAME_SAMPLES, SAMPLE_RATE_HZ
from ingestd.errors import DeviceError
from ingestd.threads.mailbox import DeviceChanged, Mailbox
from ingestd.threads.worker import Worker

_READ_S: Final = 0.1
_REOPEN_S: Final = 0.5
_DEAD_AFTER_S: Final = 1.0
_TOGETHER_SAMPLES: Final = 5 * FRAME_SAMPLES
"""What clocks, meter and counters get at a time, 100 ms: what a thread does each time that it wakes costs three to five
times what the same does in a row, as nothing of it is in the processor's caches."""
_COLD_START_S: Final = 3.0
"""Some servers of virtual devices need seconds before their first samples."""


class Microphone:
    """What the capture thread shares with the sender: each part has the capture thread as its one writer.

    `gain` and `mute` are set by any thread, and meters and counters read by any.
    """

    def __init__(self, gain_db: float = 0.0) -> None:
        self.ring = SampleRing(2 * SAMPLE_RATE_HZ)
        self.clock = SampleClock(SAMPLE_RATE_HZ)
        self.drift = Drift()
        """The rate, for people: over minutes, where `clock` follows the last seconds."""
        self.guard_s = pacing.GUARD_S
        self.lost = True
        self.loss = Loss()
        """The present one, where there is one."""
        self.device: str | None = None
        self.negotiated: Negotiated | None = None
        """Of the last opening; None before the first."""
        self.overruns = 0
        self.gain = Gain(gain_db)
        self.mute = Mute()
        self.meter = Meter()
        """After the gain and before the mute: whether a muted microphone works is worth seeing, and so is whether
        it would be too loud."""
        self.full_scale = FullScale()

    @property
    def clipped(self) -> int:
        """Samples that were cut off, by the device's converter or by the gain. Any thread."""
        return self.full_scale.clipped + self.gain.clipped


class CaptureThread(Worker):
    """Keeps one microphone open and its samples flowing into the ring."""

    name = "capture"

    def __init__(
        self, source: Source, microphone: Microphone, mailbox: Mailbox, voice: RoomVoice | None = None
    ) -> None:
        """While `voice` can be heard here the microphone is closed; None for never."""
        super().__init__(mailbox)
        self._source = source
        self._mic = microphone
        self._ducker = Ducker(voice) if voice is not None else None
        self._is_muted = False  # and fades: until then `mute` changes nothing
        self._reopening = Reopening(_REOPEN_S)
        self._start_s: float | None = None  # how long this device may take to its first samples, once that is known
        # What has come into the ring, and clocks, counters and meter don't know of yet.
        self._reads: list[tuple[float, int]] = []
        self._raw: list[bytes] = []
        self._heard: list[bytes] = []
        self._known = 0

    def run_until_stopped(self) -> None:
        """See `Worker`."""
        while not self._stopping.is_set():
            wait_s = _REOPEN_S
            try:
                self._capture()
            except DeviceError as error:
                wait_s = self._reopening.wait_s(error)
                self._mic.lost = True
                self._tell()
                self._mic.meter.clear()
                if self._mic.loss.goes_on(error.key, time.monotonic()):
                    self._mailbox.post(DeviceChanged("capture", self._mic.device or "", error))
            finally:
                self._tell()
                self._source.close()
            self._pause(wait_s)

    def _pause(self, seconds: float) -> None:
        """Bit by bit, so that this thread is seen to live meanwhile."""
        while seconds > 0 and not self._stopping.is_set():
            self.progress_s = time.monotonic()
            self._stopping.wait(min(seconds, _REOPEN_S))
            seconds -= _REOPEN_S

    def _capture(self) -> None:
        """Until the device is lost (DeviceError) or the thread is stopped."""
        negotiated = self._source.open()
        mic = self._mic
        mic.device, mic.negotiated = negotiated.device, negotiated
        mic.guard_s = pacing.guard_s(negotiated.period_samples, SAMPLE_RATE_HZ)
        self._break_stream()
        mic.drift.restart()  # maybe another device by the same name
        opened_s = last_s = time.monotonic()
        patience_s = _COLD_START_S if self._start_s is None else self._start_s
        started = False
        read, take = self._source.read, self._take
        while not self._is_stopping:
            block = read(_READ_S)
            if block is not None:
                self.progress_s = last_s = block.time_s
                if not started:
                    # One that is known to start at once needs no seconds of grace when it comes back.
                    started = True
                    self._start_s = min(_COLD_START_S, max(_DEAD_AFTER_S, 2 * (block.time_s - opened_s)))
                    patience_s = _DEAD_AFTER_S
                take(block)
                continue
            self.progress_s = time.monotonic()
            if self.progress_s - last_s > patience_s:
                if not started:
                    self._start_s = None  # the next try gets all the time that any device may need
                raise DeviceError(f"capture device {negotiated.device!r} is open but delivers nothing")

    def _take(self, block: Block) -> None:
        mic, gain = self._mic, self._mic.gain
        pcm, time_s, overrun = block
        if overrun:
            mic.overruns += 1
            self._break_stream()
        # The room gets the very bytes that were read unless something was set to change them, which is not even asked:
        # a call in a thread that has just woken costs 3 µs.
        if gain.wanted[0] <= 0.0:  # else what is at full scale is beyond it after the gain, and counted there
            self._raw.append(pcm)
        if gain.reached is not gain.wanted:
            pcm = gain.apply(pcm)
        self._heard.append(pcm)
        if mic.mute.on or self._is_muted:
            pcm = self._muted(pcm)
        if self._ducker is not None:
            pcm = self._ducked(pcm, time_s, self._ducker)
        written = mic.ring.write(pcm)
        self._reads.append((time_s, written))
        if written - self._known >= _TOGETHER_SAMPLES or not mic.clock.settled:
            self._tell()
        if mic.lost:
            mic.lost = False
            mic.loss.over()
            self._mailbox.post(DeviceChanged("capture", mic.device or "", None, mic.negotiated))

    def _tell(self) -> None:
        """Clocks, counters and meter get what they don't know of yet."""
        mic = self._mic
        for time_s, written in self._reads:
            mic.clock.observe(time_s, written)
        mic.drift.observed += self._reads
        mic.drift.look()
        mic.full_scale.add(b"".join(self._raw))
        mic.meter.add(b"".join(self._heard))
        for told in (self._reads, self._raw, self._heard):
            told.clear()
        self._known = mic.ring.written

    def _muted(self, pcm: bytes) -> bytes:
        out = self._mic.mute.apply(pcm)
        if pcm:
            self._is_muted = out is not pcm
        return out

    def _ducked(self, pcm: bytes, complete_s: float, ducker: Ducker) -> bytes:
        mic = self._mic
        # Reads come late, never early: where the clock knows better when the samples were complete, it counts.
        if (clock := mic.clock.now) is not None:
            complete_s = min(complete_s, clock.time_of(mic.ring.written + len(pcm) // 2))
        return ducker.apply(pcm, complete_s)

    def _break_stream(self) -> None:
        """Samples are missing before the next ones: frames stay whole, and the clock's phase is found anew."""
        self._tell()
        partial = self._mic.ring.written % FRAME_SAMPLES
        if partial:
            self._mic.ring.write(bytes(2 * (FRAME_SAMPLES - partial)))
        self._mic.clock.relock()
        self._mic.drift.interrupted()
