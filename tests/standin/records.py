"""What is kept of every call and connection, in the shapes the admin API hands out."""

from __future__ import annotations

import io
from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

KEPT_TOPIC_TEXTS: Final = 24


class FrameLog:
    """Media frames of one call in one direction: when, how long, and the PCM, up to a bound."""

    def __init__(self, limit_s: float) -> None:
        self._limit_bytes = int(limit_s * 16000)
        self._times_s = array("d")
        self._sizes = array("I")
        self._pcm = bytearray()
        self.frames = 0
        """Frames counted, kept or not."""
        self.bytes = 0
        """PCM counted (bytes)."""
        self.first_s: float | None = None
        """Monotonic time of the first frame (seconds)."""
        self.last_s: float | None = None
        """Monotonic time of the last frame (seconds)."""

    def add(self, at_s: float, pcm: bytes) -> None:
        """Log one frame at the monotonic time `at_s` (seconds)."""
        self.frames += 1
        self.bytes += len(pcm)
        if self.first_s is None:
            self.first_s = at_s
        self.last_s = at_s
        if self.bytes <= self._limit_bytes:
            self._times_s.append(at_s)
            self._sizes.append(len(pcm))
            self._pcm += pcm

    def forget(self) -> None:
        """Drop what was kept; the counts stay."""
        self._limit_bytes = 0
        self._times_s, self._sizes, self._pcm = array("d"), array("I"), bytearray()

    def kept(self, start: int) -> KeptFrames:
        """A copy of the kept frames from number `start` on."""
        sizes = np.array(self._sizes, dtype=np.uint32)
        skipped = int(sizes[:start].sum())
        times_s = np.array(self._times_s[start:], dtype=np.float64)
        return KeptFrames(times_s, sizes[start:], bytes(self._pcm[skipped:]))


@dataclass(frozen=True)
class KeptFrames:
    """Media frames as they were kept."""

    times_s: NDArray[np.float64]
    """Monotonic time of each frame (seconds): of its arrival, or of its sending."""
    sizes_bytes: NDArray[np.uint32]
    """Length of each frame's PCM (bytes)."""
    pcm: bytes
    """The PCM of all of them, one after the other."""

    def packed(self) -> bytes:
        """As npz; touches nothing shared, so any thread may do it."""
        out = io.BytesIO()
        pcm = np.frombuffer(self.pcm, dtype=np.uint8)
        np.savez(out, times_s=self.times_s, sizes_bytes=self.sizes_bytes, pcm=pcm)
        return out.getvalue()

    @classmethod
    def unpacked(cls, data: bytes) -> KeptFrames:
        """The reverse of `packed`."""
        with np.load(io.BytesIO(data)) as arrays:
            return cls(arrays["times_s"], arrays["sizes_bytes"], arrays["pcm"].tobytes())

    @property
    def samples(self) -> NDArray[np.int16]:
        """The PCM as samples."""
        return np.frombuffer(self.pcm, dtype="<i2")


@dataclass
class SessionRequest:
    """One POST /v2/ingest/sessions and how it was answered."""

    at_s: float
    """Monotonic time of its arrival (seconds)."""
    status: int
    """HTTP status of the answer; 0 if the connection was cut instead."""
    auth_scheme: str
    """`bearer`, `raw` or `none`."""
    headers: dict[str, str]
    """Request headers in lower case, without the token."""
    body: Any
    """The JSON body, or None if it could not be read."""
    call_id: str | None
    """The session it made."""
    fault: str
    """The scripted fault it met, or empty."""
    message: str
    """The error text it was answered with, or empty."""


@dataclass
class ConnectionInfo:
    """One WebSocket connection; all times are monotonic seconds, None if it did not come to that."""

    index: int
    call_id: str | None
    """The session it claimed, or the one its ref belongs to."""
    ref_state: str
    """`good`, `unknown`, `expired` or `used`, as it was when connecting."""
    headers: dict[str, str]
    """Headers of the upgrade request in lower case."""
    connected_s: float
    started_s: float | None = None
    joined_s: float | None = None
    stopped_s: float | None = None
    closed_s: float | None = None
    close_code: int | None = None
    """The code of the close frame that came first; None for a cut or a close without a code."""
    close_reason: str = ""
    closed_by: str = ""
    """`client` or `server`: who ended it; empty while it is open."""
    how: str = ""
    """`close frame`, `eof`, `reset`, `heartbeat`, `abort`: how it ended."""
    pings_sent: int = 0
    pongs_received: int = 0
    pings_received: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    """Malformed and refused inbound by kind, and what was dropped."""
    most_between_media: int = 0
    """Most subscribe, unsubscribe and message frames that came between two media frames."""
    topic_texts: list[str] = field(default_factory=list)
    """The last KEPT_TOPIC_TEXTS of those frames as they came, each shortened to 400 characters."""


@dataclass
class CallInfo:
    """One ingest session with its figures; times are monotonic seconds."""

    index: int
    call_id: str
    room_id: str
    participant_id: str
    participant_name: str
    body: dict[str, Any]
    """The request as it was sent."""
    created_s: float
    claimed_s: float | None = None
    connections: list[int] = field(default_factory=list)
    """Indices of the connections that used its ref."""
    received_frames: int = 0
    received_bytes: int = 0
    sent_frames: int = 0
    sent_bytes: int = 0
    messages_in: int = 0
    """Messages it published."""
    messages_out: int = 0
    """Messages delivered to it."""
    queued_bytes: int = 0
    """Audio waiting in its jitter queue (bytes)."""
    jitter_dropped_bytes: int = 0
    """Audio dropped at the cap of its jitter queue (bytes)."""
    ran_dry: int = 0
    """How often its jitter queue ran dry."""


def as_json(record: Any) -> dict[str, Any]:
    """The fields of a record; `dataclasses.asdict` would rebuild the Counter, wrongly."""
    return dict(vars(record))
