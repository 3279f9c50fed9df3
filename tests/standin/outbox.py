"""The outgoing side of a connection: whole frames onto the transport, or held back, or lost."""

from __future__ import annotations

import asyncio
import time

from tests.standin import frames
from tests.standin.records import FrameLog


class Outbox:
    """Writes frames in order; a fault may mute it or hold everything back for a later burst."""

    def __init__(self, transport: asyncio.WriteTransport, limit_bytes: int) -> None:
        self._transport = transport
        self._limit_bytes = limit_bytes
        self._held: list[tuple[bytes, bytes]] | None = None
        self._muted = False
        self._closed = False
        self.log: FrameLog | None = None
        """Where media frames are logged once they are written."""
        self.dropped_media = 0
        """Media frames dropped because the client does not read."""
        self.muted_frames = 0
        """Frames lost while muted."""

    def text(self, message: bytes) -> None:
        """Send a text message (UTF-8)."""
        self._send(frames.encode(frames.TEXT, message), b"")

    def media(self, pcm: bytes, message: bytes) -> None:
        """Send a media frame: its PCM for the log, and its JSON."""
        if self._transport.get_write_buffer_size() > self._limit_bytes:
            self.dropped_media += 1
            return
        self._send(frames.encode(frames.TEXT, message), pcm)

    def control(self, opcode: int, payload: bytes = b"") -> None:
        """Send a ping or a pong."""
        self._send(frames.encode(opcode, payload), b"")

    def close(self, code: int | None, reason: str = "") -> None:
        """Send a close frame; nothing goes out after it."""
        self._send(frames.encode(frames.CLOSE, frames.close_payload(code, reason)), b"")
        self._closed = True

    def raw(self, data: bytes) -> None:
        """Write bytes as they are, past whatever is held back."""
        self._transport.write(data)

    def mute(self) -> None:
        """Lose everything from now on."""
        self._muted = True

    def hold(self) -> None:
        """Hold everything back from now on."""
        if self._held is None:
            self._held = []

    def resume(self) -> None:
        """Send again, what was held back first and at once."""
        self._muted = False
        held, self._held = self._held, None
        if held:
            self._transport.write(b"".join(data for data, _ in held))
            for _, pcm in held:
                self._record(pcm)

    def _send(self, data: bytes, pcm: bytes) -> None:
        if self._closed:
            return
        if self._muted:
            self.muted_frames += 1
        elif self._held is not None:
            self._held.append((data, pcm))
        else:
            self._transport.write(data)
            self._record(pcm)

    def _record(self, pcm: bytes) -> None:
        if pcm and self.log is not None:
            self.log.add(time.monotonic(), pcm)
