"""Frames onto a stream, whole and in order, as fast as it takes them. One thread."""

from __future__ import annotations

from ingestd.net.stream import Stream


class FrameWriter:
    """Never waits: what the stream does not take stays, and no other frame may come between its bytes."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.pending: memoryview | None = None
        """What is left of the frame being written; None once it is through. The writer changes it."""
        self.end = 0
        """Bytes of all frames so far."""
        self.room_bytes = -1
        """What may be written at least before the way is full; below zero somebody has to ask the kernel (2 µs)."""

    @property
    def waiting_bytes(self) -> int:
        """Of all frames so far, what the peer has not acknowledged. Raises ChannelClosed."""
        return self._stream.unacknowledged_bytes() + (0 if self.pending is None else len(self.pending))

    def write(self, frame: bytes) -> None:
        """The next frame; only after `flush` was true. Raises ChannelClosed."""
        size = len(frame)
        self.end += size
        self.room_bytes -= size + self._stream.record_bytes
        if (written := self._stream.write(frame)) < size:
            self.pending = memoryview(frame)[written:]
            self.flush()

    def flush(self) -> bool:
        """True once nothing is left of the frame being written. Raises ChannelClosed."""
        while self.pending is not None:
            written = self._stream.write(self.pending)
            if written == 0:
                return False
            self.pending = self.pending[written:] if written < len(self.pending) else None
        return True
