"""The daemon's ports without devices or network: each does what the test says, and fails when it is told to."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable

from ingestd.audio.ports import Block, Negotiated
from ingestd.core.liveness import Liveness
from ingestd.core.wire import Event, Media, MeetingJoined
from ingestd.errors import ChannelClosed, ChannelError, DeviceError


class ScriptedLink:
    """A link (`net.ports.Link`). What the test sets happens in the threads that use it."""

    def __init__(self, epoch: int, call_id: str | None = "call") -> None:
        self.epoch = epoch
        self.call_id = call_id
        self.liveness = Liveness(time.monotonic())
        self.joined = False
        self.ready = False
        self.media_sent = 0
        self.topics: tuple[str, ...] = ()
        self.messages: list[bytes] = []
        self.wire_faults: Counter[str] = Counter()
        self.users = 1
        """Its maker's, at first; below zero where somebody left twice."""
        self.said: list[str] = []
        """Of `hang_up`, `abort` and `shutdown`, what was called, in order."""
        self.posted: list[bytes] = []
        self.holding = False
        """Takes no media while true."""
        self.rerouted = False
        """What `route_changed` says."""
        self.media: list[bytes] = []
        self.media_at_s: list[float] = []
        self.others = 0
        self.besides = 0
        self.receptions = 0
        self._lock = threading.Lock()
        self._broken: ChannelError | None = None
        self._events: deque[Event] = deque()
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    # --- the test's -------------------------------------------------------------------------------------------------

    def arrive(self, *events: Event) -> None:
        """These came in, and the descriptor becomes readable."""
        self._events.extend(events)
        os.eventfd_write(self._fd, 1)

    def break_off(self, error: ChannelError) -> None:
        """From now on sending and receiving raise this."""
        self._broken = error
        with contextlib.suppress(OSError):
            os.eventfd_write(self._fd, 1)

    @property
    def closed(self) -> bool:
        """Everybody has left, and so the descriptor is given back."""
        return self._fd < 0

    # --- the port -----------------------------------------------------------------------------------------------

    def fileno(self) -> int:
        return self._fd

    def join(self) -> bool:
        with self._lock:
            if self.users > 0:
                self.users += 1
                return True
            return False

    def leave(self) -> None:
        with self._lock:
            self.users -= 1
            assert self.users >= 0, "left more often than joined"
            if not self.users:
                os.close(self._fd)
                self._fd = -1

    def route_changed(self) -> bool:
        return self.rerouted

    def post(self, text: bytes) -> bool:
        self.posted.append(text)
        return True

    def send_message(self, text: bytes) -> bool:
        if self._broken is not None:
            raise self._broken
        self.messages.append(text)
        return True

    def hang_up(self) -> None:
        self.said.append("hang_up")

    def abort(self) -> None:
        self.said.append("abort")
        self.break_off(ChannelClosed("aborted"))

    def shutdown(self) -> None:
        self.said.append("shutdown")
        self.break_off(ChannelClosed("shut down"))

    def send_media(self, pcm: bytes) -> bool:
        if self._broken is not None:
            raise self._broken
        if self.holding:
            return False
        self.media_at_s.append(time.monotonic())
        self.media.append(pcm)
        self.media_sent += 1
        return True

    def send_others(self, now: float) -> None:
        self.others += 1

    def send_beside(self, now: float) -> None:
        if self._broken is not None:
            raise self._broken
        self.besides += 1

    def has_buffered(self) -> bool:
        return False

    def receive(self) -> list[Event]:
        self.receptions += 1
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._fd)
        if self._broken is not None and not self._events:
            raise self._broken
        events = [self._events.popleft() for _ in range(len(self._events))]  # more may arrive meanwhile
        if any(isinstance(event, Media | MeetingJoined) for event in events):
            self.joined = True
        if self._broken is not None:
            os.eventfd_write(self._fd, 1)
        return events


class ScriptedSource:
    """A microphone (`audio.ports.Source`): every read brings the next block of the script, or waits for one."""

    PERIOD_SAMPLES = 160

    def __init__(self) -> None:
        self._blocks: deque[Block | DeviceError] = deque()
        self._more = threading.Condition()
        self.absent: DeviceError | None = None
        """What opening raises, where it is set."""
        self.opened = 0
        self.closed = 0
        self.reads = 0

    def bring(self, *pcm: bytes, overrun: bool = False, time_s: float | None = None) -> None:
        """These blocks are read next; `overrun` marks the first."""
        with self._more:
            for number, samples in enumerate(pcm):
                at_s = time.monotonic() if time_s is None else time_s
                self._blocks.append(Block(samples, at_s, overrun and number == 0))
            self._more.notify_all()

    def fail(self, error: DeviceError) -> None:
        """Reading raises this once the blocks before it are read."""
        with self._more:
            self._blocks.append(error)
            self._more.notify_all()

    @property
    def unread(self) -> int:
        return len(self._blocks)

    def open(self) -> Negotiated:
        self.opened += 1
        if self.absent is not None:
            raise self.absent
        return Negotiated("scripted", self.PERIOD_SAMPLES, 20 * self.PERIOD_SAMPLES)

    def read(self, timeout_s: float) -> Block | None:
        self.reads += 1
        with self._more:
            self._more.wait_for(lambda: bool(self._blocks), timeout_s)
            if not self._blocks:
                return None
            block = self._blocks.popleft()
        if isinstance(block, DeviceError):
            raise block
        return block

    def close(self) -> None:
        self.closed += 1


class ScriptedSink:
    """A speaker (`audio.ports.Sink`) that keeps what it plays; it plays at once, or as `queue` says."""

    BUFFER_SAMPLES = 3200

    def __init__(self, period_samples: int = 80) -> None:
        self._period_samples = period_samples
        self.absent: DeviceError | None = None
        """What opening raises, where it is set."""
        self.lost: DeviceError | None = None
        """What writing and asking raise, where it is set."""
        self.takes: Callable[[int], int] = lambda samples: samples
        """How many of so many samples it takes."""
        self.queue: Callable[[], int] = lambda: 0
        """What it says is queued."""
        self.played = bytearray()
        self.opened = 0
        self.closed = 0
        self.writes = 0
        self.dry = 0

    @property
    def underruns(self) -> int:
        return self.dry

    def open(self) -> Negotiated:
        self.opened += 1
        if self.absent is not None:
            raise self.absent
        return Negotiated("scripted", self._period_samples, self.BUFFER_SAMPLES)

    def queued(self) -> int:
        if self.lost is not None:
            raise self.lost
        return self.queue()

    def write(self, pcm: bytes) -> int:
        self.writes += 1
        if self.lost is not None:
            raise self.lost
        taken = self.takes(len(pcm) // 2)
        self.played += pcm[: 2 * taken]
        return taken

    def close(self) -> None:
        self.closed += 1


def samples(values: Iterable[int]) -> bytes:
    """16-bit little-endian PCM."""
    return b"".join(value.to_bytes(2, "little", signed=True) for value in values)
