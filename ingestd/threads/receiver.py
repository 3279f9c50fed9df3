"""The receiver thread: room → playout → speaker, and everything else that comes in → supervisor.

One thread does both: an arriving frame is also the moment to feed the speaker, and a deadline at half its fill
does so where nothing arrives.
"""

from __future__ import annotations

import select
import time

from ingestd.core import wire
from ingestd.core.drift import LOOKED_AT_TOGETHER, Drift
from ingestd.core.playout import Playout
from ingestd.errors import ChannelError
from ingestd.net.ports import Link
from ingestd.threads.link_slot import Links, LinkSlot
from ingestd.threads.mailbox import LinkEnded, LinkJoined, Mailbox, RoomEvent
from ingestd.threads.speaker import LATE_S, LONGEST_WAIT_S, Speaker
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
        self.first_media: tuple[int, float] = (0, 0.0)
        """The epoch of the latest link whose room audio was taken, and when it began. Any thread."""
        self.drift = Drift()
        """Of the server's clock, by the samples it sent. Any thread reads its `ppm`."""
        self._samples = 0
        self._polled = Links()
        self._open: tuple[Link, ...] = ()  # of these
        self._look = True
        """For what `poll` can't see: after whatever was no lone media frame, and at the latest when nothing came."""
        self._poll = select.poll()

    def run_until_stopped(self) -> None:
        """See `Worker`."""
        due_s = fed_s = 0.0
        slot = self.link
        while not self._is_stopping:
            links = slot.using if slot.offered is slot.seen else slot.current()
            if links is not self._polled:
                self._watch(links)
            wait_s = min(max(0.0, due_s - time.monotonic()), LONGEST_WAIT_S)
            frames = self.frames
            if not self._open:
                time.sleep(wait_s)
            elif (self._look and self._is_buffered()) or self._poll.poll(wait_s * 1000.0):
                now = time.monotonic()
                if now - fed_s > LATE_S:
                    self.speaker.catch_up(now)
                for link in self._open:
                    self._receive(link, link is links.carrying, now)
            else:
                self._look = True
            self.progress_s = fed_s = now = time.monotonic()
            if self.frames != frames:
                observed = self.drift.observed
                observed.append((now, self._samples))
                if len(observed) >= LOOKED_AT_TOGETHER:
                    self.drift.look()
            due_s = self.speaker.feed(now)
        self.link.drop_all()
        self.speaker.close()

    def _watch(self, links: Links) -> None:
        before, self._polled = self._polled, links
        self._look = True
        self._open = tuple(link for link in links if link is not None)
        self._poll = select.poll()
        for link in self._open:
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

    def _is_buffered(self) -> bool:
        """There is what `poll` can't see, on any of the links."""
        self._look = False
        return any(link.has_buffered() for link in self._open)

    def _receive(self, link: Link, carrying: bool, now: float) -> None:
        had_joined = link.joined
        try:
            events = link.receive()
        except ChannelError as error:
            self._mailbox.post(LinkEnded(link.epoch, error))
            self.link.drop(link)
            return
        if not had_joined and link.joined:
            self._mailbox.post(LinkJoined(link.epoch))
        if len(events) != 1:
            self._look = True
        for event in events:
            if not isinstance(event, wire.Media):
                self._look = True
                self._mailbox.post(RoomEvent(link.epoch, event))
            elif carrying:
                pcm = event.pcm
                self.frames += 1
                self._samples += len(pcm) // 2
                self.playout.push(pcm)
                self.media_s = now
                if link.epoch != self.first_media[0]:
                    self.first_media = (link.epoch, now)
                if pcm.strip(b"\0"):  # `not is_silence`, with one call less
                    self.heard_s = now
            else:
                self.beside_frames += 1
