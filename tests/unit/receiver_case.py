"""A receiver thread with its playout and a speaker, for the tests of it."""

from __future__ import annotations

from ingestd.core.playout import Playout
from ingestd.threads.receiver import ReceiverThread
from ingestd.threads.speaker import Speaker
from tests.rig.memory_ports import ClockedSink
from tests.rig.scripted_ports import ScriptedLink, ScriptedSink
from tests.unit.threads_case import Post


def tone(value: int, samples: int = 160) -> bytes:
    return value.to_bytes(2, "little") * samples


class Case:
    def __init__(self, sink: ScriptedSink | ClockedSink) -> None:
        self.playout = Playout(400)
        self.post = Post()
        self.thread = ReceiverThread(Speaker(sink, self.playout, self.post.box), self.playout, self.post.box)

    def offer(self, epoch: int = 1) -> ScriptedLink:
        link = ScriptedLink(epoch)
        self.thread.link.offer(link)
        return link
