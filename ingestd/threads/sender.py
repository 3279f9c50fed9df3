"""The sender thread: ring → room, one 20 ms frame at a time on the sound card's own grid."""

from __future__ import annotations

import time

from ingestd.core.histogram import Histogram
from ingestd.core.outbox import Outbox
from ingestd.core.pacing import Do, Pacer, Step
from ingestd.core.wire import FRAME_S, FRAME_SAMPLES, SAMPLE_RATE_HZ, SILENCE
from ingestd.errors import ChannelError
from ingestd.net.ports import Link
from ingestd.threads.capture import Microphone
from ingestd.threads.link_slot import LinkSlot
from ingestd.threads.mailbox import LinkEnded, LinkReady, Mailbox
from ingestd.threads.worker import Worker


class SenderThread(Worker):
    """Paces always, connected or not, so that the first frame of a new link is the newest there is."""

    name = "sender"

    def __init__(self, microphone: Microphone, mailbox: Mailbox, outbox: Outbox) -> None:
        """`outbox`: the messages that go out between the frames."""
        super().__init__(mailbox)
        self._mic = microphone
        self._outbox = outbox
        self._pacer = Pacer()
        self.link = LinkSlot()
        self.frames = 0
        self.silence_frames = 0
        self.dropped_frames = 0
        """Captured while connected, but too old by the time they could have gone out."""
        self.latency = Histogram()
        """From a frame's last sample, by the sample clock, to its bytes having gone to the socket."""
        self.held_since_s: float | None = None
        """Since when the carrying link has taken no media (CLOCK_MONOTONIC), None while it does."""
        self._carrying: Link | None = None
        self._ready_epoch = 0  # told of up to here

    @property
    def backlog_ms(self) -> float:
        """Captured and not yet sent. Any thread."""
        return max(0, self._mic.ring.written - self._pacer.next_index) * 1000.0 / SAMPLE_RATE_HZ

    def run_until_stopped(self) -> None:
        """See `Worker`."""
        # A call in a thread that has just woken costs 3 µs: a frame that goes on its way takes as few as can be.
        mic, pacer, slot, sleep = self._mic, self._pacer, self.link, Do.SLEEP
        while not self._is_stopping:
            now = self.progress_s = time.monotonic()
            dropped = pacer.dropped_frames
            pacer.guard_s = mic.guard_s
            step = pacer.step(now, mic.clock.now, mic.ring.written, mic.lost)
            carrying, beside = slot.using if slot.offered is slot.seen else slot.current()
            if carrying is not self._carrying:
                self._carrying = carrying
                self.held_since_s = None
            if step.do is sleep:
                again_s = step.until_s
            elif carrying is not None:
                again_s = self._send(carrying, step, now)
            elif beside is not None:
                again_s = pacer.held(now, step.do, mic.ring.written)  # it is about to take over
            else:
                again_s = pacer.sent(now, step.do)
            if carrying is not None:
                self.dropped_frames += pacer.dropped_frames - dropped
            if beside is not None and step.do is not sleep:  # after the media, for which it is time
                self._tend(beside)
            if (left_s := again_s - time.monotonic()) > 0:
                time.sleep(min(left_s, FRAME_S))
        slot.drop_all()

    def _tend(self, beside: Link) -> None:
        try:
            beside.send_beside(time.monotonic())
        except ChannelError as error:
            self._end(beside, error)
            return
        if beside.epoch > self._ready_epoch and beside.ready:
            self._ready_epoch = beside.epoch
            self._mailbox.post(LinkReady(beside.epoch))

    def _end(self, link: Link, error: ChannelError) -> None:
        self._mailbox.post(LinkEnded(link.epoch, error))
        self.link.drop(link)

    def _send(self, link: Link, step: Step, now: float) -> float:
        """Returns when to go on."""
        mic, pacer, is_sound = self._mic, self._pacer, step.do is Do.SEND
        pcm = mic.ring.read(step.sample, FRAME_SAMPLES) if is_sound else SILENCE
        if pcm is None:
            # Overwritten under our feet: this thread was away for longer than the ring holds.
            pcm = SILENCE
            self.dropped_frames += 1
        try:
            if link.send_media(pcm):
                gone_s = time.monotonic()
                self.held_since_s = None
                self.frames += 1
                if not is_sound:
                    self.silence_frames += 1
                elif mic.clock.now is not None:
                    self.latency.add_ms((gone_s - now + pacer.late_s + pacer.guard_s) * 1000.0)
                again_s = pacer.sent(now, step.do)
                if self._outbox.waiting:
                    self._send_messages(link, gone_s)
                link.send_others(gone_s)
                return again_s
            if self.held_since_s is None:
                self.held_since_s = now
            self._send_messages(link, now)
            link.send_others(now)
        except ChannelError as error:
            self._end(link, error)
            return now
        return pacer.held(now, step.do, mic.ring.written)

    def _send_messages(self, link: Link, now: float) -> None:
        while (message := self._outbox.take(now)) is not None:
            try:
                written = link.send_message(message.text)
            except ChannelError:
                self._outbox.put_back(message)  # for the next link: half a message is none
                raise
            if not written:
                self._outbox.put_back(message)
                break
            self._outbox.sent(message)
