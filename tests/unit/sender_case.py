"""A sender thread and a microphone whose frames say their number, for the tests of it."""

from __future__ import annotations

import threading
import time

from ingestd.core.outbox import Outbox
from ingestd.core.wire import FRAME_S, SILENCE
from ingestd.threads.capture import Microphone
from ingestd.threads.sender import SenderThread
from tests.rig.memory_ports import numbered_frame
from tests.rig.process import wait_until
from tests.rig.scripted_ports import ScriptedLink
from tests.unit.peers import GUARD_S
from tests.unit.threads_case import Post


class Talker:
    """A microphone on an absolute grid, in a thread of its own: frame n says its number, from 1."""

    def __init__(self, mic: Microphone) -> None:
        self._mic = mic
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.number = 0

    def _run(self) -> None:
        start_s = time.monotonic()
        self._mic.lost = False
        while not self._stop.wait(max(0.0, start_s + (self.number + 1) * FRAME_S - time.monotonic())):
            self._mic.clock.observe(time.monotonic(), self._mic.ring.write(numbered_frame(self.number + 1)))
            self.number += 1

    def __enter__(self) -> Talker:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()


class Case:
    def __init__(self) -> None:
        self.mic = Microphone()
        self.post = Post()
        self.outbox = Outbox()
        self.thread = SenderThread(self.mic, self.post.box, self.outbox)

    def offer(self, epoch: int = 1) -> ScriptedLink:
        link = ScriptedLink(epoch)
        self.thread.link.offer(link)
        return link


def numbers(frames: list[bytes]) -> list[int]:
    """Which of the talker's frames they are; 0 for silence. Any other fails."""
    found = []
    for frame in frames:
        number = int.from_bytes(frame[:4], "little")
        assert frame == (numbered_frame(number) if number else SILENCE)
        found.append(number)
    return found


def is_whole(case: Case, sent: list[int]) -> bool:
    """In order, none twice, and none missing but what the pacer says it dropped, as after a stall of this machine."""
    missing = sent[-1] - sent[0] + 1 - len(sent)
    return sent == sorted(set(sent)) and missing <= case.thread._pacer.dropped_frames


def wait_sent(link: ScriptedLink, frames: int) -> None:
    wait_until(lambda: len(link.media) >= frames, GUARD_S, f"{frames} frames")
