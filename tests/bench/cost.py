"""What the playout and the devices' processing cost beside the transport, and what each change of the delay costs.

Processor time of this thread alone; the room at the other end of the connection is a process of its own.
"""

from __future__ import annotations

import contextlib
import select
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import trustme

from ingestd.audio.ports import Block
from ingestd.core import wire
from ingestd.core.ingest_session import IngestSession
from ingestd.core.playout import Playout
from ingestd.core.wire import FRAME_S, FRAME_SAMPLES
from ingestd.net.cancel import Cancel
from ingestd.net.channel import Channel
from ingestd.net.dialer import Dialer
from ingestd.net.opener import ChannelOpener
from ingestd.threads.capture import CaptureThread, Microphone
from ingestd.threads.mailbox import Mailbox
from ingestd.threads.speaker import Speaker
from tests.bench.material import Material, talk
from tests.bench.players import MAX_DELAY_MS, Player, ours
from tests.bench.playing import SimulatedSink, play
from tests.bench.traces import make_trace
from tests.rig.figures import Figures
from tests.rig.memory_ports import NumberedSource
from tests.rig.process import end, spawn

PAIRS_AT_ONCE = 50
"""Frame pairs of one measurement, a second of them; bare and full ones take turns."""
TURNS, QUICK_TURNS = 30, 5
_GUARD_S = 20.0


def measure(figures: Figures, quick: bool) -> None:
    """Adds the figures `cost_…`. A good minute; quick, a quarter of it."""
    bare_us, full_us = transport(QUICK_TURNS if quick else TURNS)
    figures.add("cost_transport_us", bare_us)
    figures.add("cost_transport_playout_and_devices_us", full_us)
    figures.add("cost_playout_and_devices_ratio", full_us / bare_us)
    times_us = pulls(120.0 if quick else 600.0)
    figures.add("cost_plain_frame_median_us", float(np.median(times_us["plain"])))
    figures.add("cost_plain_frame_p99_us", float(np.quantile(times_us["plain"], 0.99)))
    for kind in ("shorten", "lengthen"):
        figures.add(f"cost_{kind}_count", len(times_us[kind]))
        figures.add(f"cost_{kind}_median_us", float(np.median(times_us[kind])))
        figures.add(f"cost_{kind}_p99_us", float(np.quantile(times_us[kind], 0.99)))


# --- beside the transport -------------------------------------------------------------------------------------------


def transport(turns: int) -> tuple[float, float]:
    """Microseconds of a frame sent and one received over TLS: (alone, with all that sound needs); medians.

    In real time, 50 pairs a second: the same work back to back takes a fraction, as no cache ever goes cold.
    """
    bare_us, full_us = [], []
    material = talk(10.0, 7)
    with _room() as channel, _Devices() as devices:
        _pairs(channel, material, None, 0)
        for turn in range(turns):
            bare_us.append(_pairs(channel, material, None, turn))
            full_us.append(_pairs(channel, material, devices, turn))
        channel.leave()
    return float(np.median(bare_us)), float(np.median(full_us))


class _Devices:
    """Everything between the two devices' buffers and the link, as the capture and the receiver thread do it."""

    def __init__(self) -> None:
        self._mailbox = Mailbox()
        self._mic = Microphone()
        self._capture = CaptureThread(NumberedSource(), self._mic, self._mailbox)
        self._sink = SimulatedSink()
        self._playout = Playout(MAX_DELAY_MS)
        self._speaker = Speaker(self._sink, self._playout, self._mailbox)
        self._speaker.feed(self._sink.now_s)

    def capture(self, pcm: bytes) -> bytes:
        """What goes to the room for this frame of the microphone."""
        self._capture._take(Block(pcm, self._sink.now_s, False))
        sent = self._mic.ring.read(self._mic.ring.written - FRAME_SAMPLES, FRAME_SAMPLES)
        assert sent is not None
        return sent

    def play(self, pcm: bytes) -> None:
        """A frame from the room."""
        self._sink.now_s += FRAME_S
        self._speaker.catch_up(self._sink.now_s)
        self._playout.push(pcm)
        self._speaker.feed(self._sink.now_s)

    def __enter__(self) -> _Devices:
        return self

    def __exit__(self, *_: object) -> None:
        self._mailbox.close()


def _pairs(channel: Channel, material: Material, devices: _Devices | None, turn: int) -> float:
    poll = select.poll()
    poll.register(channel.fileno(), select.POLLIN)
    frames = [material.frame((turn * PAIRS_AT_ONCE + n) % material.frames) for n in range(PAIRS_AT_ONCE)]
    tick_s = time.monotonic()
    start_ns = time.thread_time_ns()
    for frame in frames:
        tick_s += FRAME_S
        time.sleep(max(0.0, tick_s - time.monotonic()))
        pcm = frame if devices is None else devices.capture(frame)
        assert channel.send_media(pcm), "the gate is shut although every frame was answered"
        channel.send_others(time.monotonic())
        back: list[wire.Media] = []
        while not back:
            assert channel.has_buffered() or poll.poll(_GUARD_S * 1000), "no answer"
            back = [event for event in channel.receive() if isinstance(event, wire.Media)]
        if devices is not None:
            devices.play(back[0].pcm)
    return (time.thread_time_ns() - start_ns) / 1000 / PAIRS_AT_ONCE


@contextlib.contextmanager
def _room() -> Iterator[Channel]:
    authority = trustme.CA()
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with tempfile.TemporaryDirectory() as folder:
        chain = Path(folder) / "server.pem"
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(chain))
        command = [sys.executable, "-m", "tests.bench.echo_peer", str(chain)]
        peer = spawn(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
        try:
            assert peer.stdout is not None
            session = IngestSession(f"wss://127.0.0.1:{int(peer.stdout.readline())}/", None, _GUARD_S)
            opener = ChannelOpener(Dialer(lambda: context), tuple)
            yield opener.open(session, 1, Cancel(), time.monotonic() + _GUARD_S)
        finally:
            end(peer)


# --- of each change of the delay ------------------------------------------------------------------------------------


class _Timed:
    """Our player, with what each push and pull took; a pull that changed the delay counts by itself."""

    def __init__(self, times_us: dict[str, list[float]]) -> None:
        self._player = ours()
        self._times_us = times_us
        self._pushed_us = 0.0

    def push(self, pcm: bytes) -> None:
        """See `Player`."""
        start_ns = time.thread_time_ns()
        self._player.push(pcm)
        self._pushed_us += (time.thread_time_ns() - start_ns) / 1000

    def pull(self, samples: int) -> bytes:
        """See `Player`."""
        player = self._player
        before = (player.accelerated, player.expanded)
        start_ns = time.thread_time_ns()
        pcm = player.pull(samples)
        taken_us = (time.thread_time_ns() - start_ns) / 1000
        if player.accelerated > before[0]:
            self._times_us["shorten"].append(taken_us)
        elif player.expanded > before[1]:
            self._times_us["lengthen"].append(taken_us)
        elif samples == FRAME_SAMPLES:
            self._times_us["plain"].append(taken_us + self._pushed_us)
        self._pushed_us = 0.0
        return pcm

    def __getattr__(self, name: str) -> object:
        return getattr(self._player, name)


def pulls(seconds: float) -> dict[str, list[float]]:
    """Microseconds of each plain frame (pushed and pulled), and of each pull that shortens or lengthens.

    Over traces on which the delay has to change often.
    """
    times_us: dict[str, list[float]] = {"plain": [], "shorten": [], "lengthen": []}

    def timed() -> Player:
        player: Player = _Timed(times_us)  # type: ignore[assignment]  # the rest it passes on
        return player

    for name in ("steady", "wifi", "slow", "bursts"):
        play(timed, make_trace(name, seconds))
    return times_us
