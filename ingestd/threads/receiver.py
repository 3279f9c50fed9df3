"""The receiver thread: room → playout → speaker, and everything else that comes in → supervisor.

One thread does both: an arriving frame is also the moment to feed the speaker, and a deadline at half its fill
does so where nothing arrives.
"""

from __future__ import annotations

import select
import time

from ingestd.core import wire
from ingestd.core.drift import Drift
from ingestd.core.level import is_silence
from ingestd.core.playout import Playout
from ingestd.errors import ChannelError
from ingestd.net.ports import Link
from ingestd.threads.link_slot import Links, LinkSlot
from ingestd.threads.mailbox import LinkEnded, LinkJoined, Mailbox, RoomEvent
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
        self.beside_frames = 0
        """Room audio of a link that did not have the media, thrown away: the other brought the same."""
        self.media_s: float | None = None
        """When room audio came last (CLOCK_MONOTONIC), be it silence;"""
        self.heard_s: float | None = None
        """when it was more than that. Any thread."""
        self.drift = Drift()
        """Of the server's clock, by the samples it sent. Any thread reads its `ppm`."""
        self._samples = 0
        self._polled = Links()
        self._poll = select.poll()

    def run_until_stopped(self) -> None:
        """See `Worker`."""
        due_s = 0.0
        while not self._stopping.is_set():
            links = self.link.current()
            if links is not self._polled:
                self._watch(links)
            wait_s = min(max(0.0, due_s - time.monotonic()), LONGEST_WAIT_S)
            if links == Links():
                time.sleep(wait_s)
            elif ready := self._ready(links, wait_s):
                self.speaker.catch_up(time.monotonic())
                for link in ready:
                    self._receive(link, link is links.carrying)
            self.progress_s = time.monotonic()
            due_s = self.speaker.feed(self.progress_s)
        self.link.drop_all()
        self.speaker.close()

    def _watch(self, links: Links) -> None:
        before, self._polled = self._polled, links
        self._poll = select.poll()
        for link in links:
            if link is not None:
                self._poll.register(link.fileno(), select.POLLIN)
        if links.carrying is before.carrying:
            return
        if links.carrying is not None:
            self.drift.restart()  # maybe another server
            if links.carrying is before.beside:
                self.playout.splice()
                return
        elif links.beside is not None:
            return  # what is queued is heard until the other takes over
        self.playout.clear()

    def _ready(self, links: Links, wait_s: float) -> list[Link]:
        """Those on which something has come in, within `wait_s`."""
        open_links = [link for link in links if link is not None]
        buffered = [link for link in open_links if link.has_buffered()]
        polled = {fd for fd, _ in self._poll.poll(0 if buffered else wait_s * 1000.0)}
        return [link for link in open_links if link in buffered or link.fileno() in polled]

    def _receive(self, link: Link, carrying: bool) -> None:
        had_joined = link.joined
        try:
            events = link.receive()
        except ChannelError as error:
            self._mailbox.post(LinkEnded(link.epoch, error))
            self.link.drop(link)
            return
        if link.joined and not had_joined:
            self._mailbox.post(LinkJoined(link.epoch))
        before = self.frames
        for event in events:
            if not isinstance(event, wire.Media):
                self._mailbox.post(RoomEvent(link.epoch, event))
            elif carrying:
                self.frames += 1
                self._samples += len(event.pcm) // 2
                self.playout.push(event.pcm)
                self.media_s = time.monotonic()
                if not is_silence(event.pcm):
                    self.heard_s = self.media_s
            else:
                self.beside_frames += 1
        if self.frames != before:
            self.drift.observe(time.monotonic(), self._samples)
