"""The capture thread: microphone → ring, and the clock that goes with it. It never waits for anybody else."""

from __future__ import annotations

import time
from typing import Final

from ingestd.audio.ports import Block, Source
from ingestd.core import pacing
from ingestd.core.ring import SampleRing
from ingestd.core.sampleclock import SampleClock
from ingestd.core.wire import FRAME_SAMPLES, SAMPLE_RATE_HZ
from ingestd.errors import DeviceError
from ingestd.threads.mailbox import DeviceChanged, Mailbox
from ingestd.threads.worker import Worker

_READ_S: Final = 0.1
_REOPEN_S: Final = 1.0
_DEAD_AFTER_S: Final = 1.0
_COLD_START_S: Final = 3.0
"""Some servers of virtual devices need seconds before their first samples."""


class Microphone:
    """What the capture thread shares with the sender: each part has the capture thread as its one writer."""

    def __init__(self) -> None:
        self.ring = SampleRing(2 * SAMPLE_RATE_HZ)
        self.clock = SampleClock(SAMPLE_RATE_HZ)
        self.guard_s = pacing.GUARD_S
        self.lost = True
        self.device: str | None = None
        self.overruns = 0


class CaptureThread(Worker):
    """Keeps one microphone open and its samples flowing into the ring."""

    name = "capture"

    def __init__(self, source: Source, microphone: Microphone, mailbox: Mailbox) -> None:
        super().__init__(mailbox)
        self._source = source
        self._mic = microphone
        self._reported_lost = False

    def run_until_stopped(self) -> None:
        """See `Worker`."""
        while not self._stopping.is_set():
            try:
                self._capture()
            except DeviceError as error:
                self._mic.lost = True
                if not self._reported_lost:
                    self._reported_lost = True
                    self._mailbox.post(DeviceChanged("capture", self._mic.device or "", error))
            finally:
                self._source.close()
            self.progress_s = time.monotonic()
            self._stopping.wait(_REOPEN_S)

    def _capture(self) -> None:
        """Until the device is lost (DeviceError) or the thread is stopped."""
        negotiated = self._source.open()
        mic = self._mic
        mic.device = negotiated.device
        mic.guard_s = pacing.guard_s(negotiated.period_samples, SAMPLE_RATE_HZ)
        self._break_stream()
        last_s = time.monotonic() + _COLD_START_S - _DEAD_AFTER_S
        while not self._stopping.is_set():
            block = self._source.read(_READ_S)
            self.progress_s = time.monotonic()
            if block is not None:
                self._take(block)
                last_s = block.time_s
            elif time.monotonic() - last_s > _DEAD_AFTER_S:
                raise DeviceError(f"capture device {negotiated.device!r} is open but delivers nothing")

    def _take(self, block: Block) -> None:
        mic = self._mic
        if block.overrun:
            mic.overruns += 1
            self._break_stream()
        mic.clock.observe(block.time_s, mic.ring.write(block.pcm))
        if mic.lost:
            mic.lost = False
            self._reported_lost = False
            self._mailbox.post(DeviceChanged("capture", mic.device or "", None))

    def _break_stream(self) -> None:
        """Samples are missing before the next ones: frames stay whole, and the clock's phase is found anew."""
        partial = self._mic.ring.written % FRAME_SAMPLES
        if partial:
            self._mic.ring.write(bytes(2 * (FRAME_SAMPLES - partial)))
        self._mic.clock.relock()
