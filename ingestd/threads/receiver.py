"""The receiver thread: room → playout → speaker, and everything else that comes in → supervisor.

One thread does both: an arriving frame is also the moment to feed the speaker, and a deadline at half its fill
does so where nothing arrives.
"""

from __future__ import annotations

import select
import time
from typing import Final

from ingestd.audio.ports import Sink
from ingestd.core import wire
from ingestd.core.playout import Playout
from ingestd.core.wire import SAMPLE_RATE_HZ
from ingestd.errors import ChannelError, DeviceError
from ingestd.net.ports import Link
from ingestd.threads.link_slot import LinkSlot
from ingestd.threads.mailbox import DeviceChanged, LinkEnded, Mailbox, RoomEvent
from ingestd.threads.worker import Worker

_FILL_SAMPLES: Final = 50 * SAMPLE_RATE_HZ // 1000
"""What the speaker's own buffer is kept at: enough for this thread to be 50 ms late."""
_STUCK_AFTER_S: Final = 1.0
_SHORTEST_WAIT_S: Final = 0.005
_LEAST_WRITE_SAMPLES: Final = 10 * SAMPLE_RATE_HZ // 1000
_LONGEST_WAIT_S: Final = 0.02
_REOPEN_S: Final = 1.0


class Speaker:
    """The sink with its life: opened, lost, looked for again. Receiver thread."""

    def __init__(self, sink: Sink, playout: Playout, mailbox: Mailbox) -> None:
        self._sink = sink
        self._playout = playout
        self._mailbox = mailbox
        self._next_try_s = 0.0
        self._reported_lost = False
        self.device: str | None = None
        self.lost = True
        self.played_samples = 0
        self._fill = _FILL_SAMPLES
        self._moved_s = 0.0  # when the device last took or played anything
        self._last_queued = 0

    @property
    def underruns(self) -> int:
        """How often the device itself ran dry. Any thread."""
        return self._sink.underruns

    def feed(self, now: float) -> float:
        """Tops up the device from the playout; returns when to come back at the latest."""
        try:
            if self.lost and not self._reopen(now):
                self._playout.clear()
                return now + _LONGEST_WAIT_S
            queued = self._sink.queued()
            if queued != self._last_queued:
                self._moved_s = now
            wanted = self._fill - queued
            if wanted >= _LEAST_WRITE_SAMPLES:
                taken = self._sink.write(self._playout.pull(wanted))
                self.played_samples += taken
                queued += taken
                if taken:
                    self._moved_s = now
            self._last_queued = queued
            if now - self._moved_s > _STUCK_AFTER_S:
                raise DeviceError(f"playback device {self.device!r} is open but plays nothing")
        except DeviceError as error:
            self._lose(error, now)
            return now + _LONGEST_WAIT_S
        return now + max(_SHORTEST_WAIT_S, queued / 2 / SAMPLE_RATE_HZ)

    def close(self) -> None:
        """Lets go of the device."""
        self._sink.close()

    def _reopen(self, now: float) -> bool:
        if now < self._next_try_s:
            return False
        negotiated = self._sink.open()
        self.device = negotiated.device
        self._fill = min(max(_FILL_SAMPLES, 2 * negotiated.period_samples), negotiated.buffer_samples)
        self._moved_s = now
        self._last_queued = 0
        self.lost = False
        self._reported_lost = False
        self._mailbox.post(DeviceChanged("playback", self.device, None))
        return True

    def _lose(self, error: DeviceError, now: float) -> None:
        self._sink.close()
        self.lost = True
        self._next_try_s = now + _REOPEN_S
        if not self._reported_lost:
            self._reported_lost = True
            self._mailbox.post(DeviceChanged("playback", self.device or "", error))


class ReceiverThread(Worker):
    """Reads the link and keeps the speaker fed."""

    name = "receiver"

    def __init__(self, sink: Sink, playout: Playout, mailbox: Mailbox) -> None:
        super().__init__(mailbox)
        self.playout = playout
        self.speaker = Speaker(sink, playout, mailbox)
        self.link = LinkSlot()
        self.frames = 0
        self._polled: Link | None = None
        self._poll = select.poll()

    def run_until_stopped(self) -> None:
        """See `Worker`."""
        due_s = 0.0
        while not self._stopping.is_set():
            link = self.link.current()
            if link is not self._polled:
                self._watch(link)
            wait_s = min(max(0.0, due_s - time.monotonic()), _LONGEST_WAIT_S)
            if link is None:
                time.sleep(wait_s)
            elif link.has_buffered() or self._poll.poll(wait_s * 1000.0):
                self._receive(link)
            self.progress_s = time.monotonic()
            due_s = self.speaker.feed(self.progress_s)
        self.link.drop()
        self.speaker.close()

    def _watch(self, link: Link | None) -> None:
        self._poll = select.poll()
        if link is not None:
            self._poll.register(link.fileno(), select.POLLIN)
        self._polled = link
        self.playout.clear()

    def _receive(self, link: Link) -> None:
        try:
            events = link.receive()
        except ChannelError as error:
            self._mailbox.post(LinkEnded(link.epoch, error))
            self.link.drop()
            return
        for event in events:
            if isinstance(event, wire.Media):
                self.frames += 1
                self.playout.push(event.pcm)
            else:
                self._mailbox.post(RoomEvent(link.epoch, event))
