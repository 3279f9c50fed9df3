"""The receiver thread: room → playout → speaker, and everything else that comes in → supervisor.

One thread does both: an arriving frame is also the moment to feed the speaker, and a deadline at half its fill
does so where nothing arrives.
"""

from __future__ import annotations

import select
import time

from ingestd.core import wire
from ingestd.core.drift import Drift
from ingestd.core.playout import Playout
from ingestd.errors import ChannelError
from ingestd.net.ports import Link
from ingestd.threads.link_slot import LinkSlot
from ingestd.threads.mailbox import LinkEnded, Mailbox, RoomEvent
from ingestd.threads.speaker import LONGEST_WAIT_S, Speaker
from ingestd.threads.worker import Worker


class ReceiverThread(Worker):
    """Reads the link and keeps the speaker fed."""

    name = "receiver"

    def __init__(self, speaker: Speaker, playout: Playout, mailbox: Mailbox) -> None:
        super().__init__(mailbox)
        self.playout = playout
        self.speaker = speaker
        self.link = LinkSlot()
        self.frames = 0
        self.drift = Drift()
        """Of the server's clock, by the samples it sent. Any thread reads its `ppm`."""
        self._samples = 0
        self._polled: Link | None = None
        self._poll = select.poll()

    def run_until_stopped(self) -> None:
        """See `Worker`."""
        due_s = 0.0
        while not self._stopping.is_set():
            link = self.link.current()
            if link is not self._polled:
                self._watch(link)
            wait_s = min(max(0.0, due_s - time.monotonic()), LONGEST_WAIT_S)
            if link is None:
                time.sleep(wait_s)
            elif link.has_buffered() or self._poll.poll(wait_s * 1000.0):
                self.speaker.catch_up(time.monotonic())
                self._receive(link)
            self.progress_s = time.monotonic()
            due_s = self.speaker.feed(self.progress_s)
        self.link.drop()
        self.speaker.close()

    def _watch(self, link: Link | None) -> None:
        self._poll = select.poll()
        if link is not None:
            self._poll.register(link.fileno(), select.POLLIN)
            self.drift.restart()  # maybe another server
        self._polled = link
        self.playout.clear()

    def _receive(self, link: Link) -> None:
        try:
            events = link.receive()
        except ChannelError as error:
            self._mailbox.post(LinkEnded(link.epoch, error))
            self.link.drop()
            return
        before = self.frames
        for event in events:
            if isinstance(event, wire.Media):
                self.frames += 1
                self._samples += len(event.pcm) // 2
                self.playout.push(event.pcm)
            else:
                self._mailbox.post(RoomEvent(link.epoch, event))
        if self.frames != before:
            self.drift.observe(time.monotonic(), self._samples)
