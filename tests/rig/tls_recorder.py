"""A server that speaks TLS to both sides, passes everything on and keeps it as it was before it was encrypted."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import trustme

from tests.standin.frames import FrameReader

_PIECE_BYTES = 64 << 10
_LARGEST_MESSAGE_BYTES = 1 << 20


@dataclass
class Recorded:
    """One connection."""

    up: bytearray = field(default_factory=bytearray)
    """What the client sent,"""
    down: bytearray = field(default_factory=bytearray)
    """and what it was answered."""

    def messages(self) -> bytes:
        """What the client sent in WebSocket frames, one after the other, without their masks; empty for plain HTTP."""
        head, _, frames = bytes(self.up).partition(b"\r\n\r\n")
        if b"upgrade: websocket" not in head.lower():
            return b""
        return b"\n".join(payload for _, payload in FrameReader(_LARGEST_MESSAGE_BYTES).feed(frames))


class TlsRecorder:
    """Listens on 127.0.0.1 in a thread of its own; a context manager."""

    def __init__(self, ca: trustme.CA, upstream_port: int, upstream_ca: Path) -> None:
        """`ca` signs what clients see, `upstream_ca` (PEM) is trusted for 127.0.0.1 at `upstream_port`."""
        self.port = 0
        self.connections: list[Recorded] = []
        self._server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert("localhost", "127.0.0.1").configure_cert(self._server_side)
        self._client_side = ssl.create_default_context(cafile=str(upstream_ca))
        self._upstream_port = upstream_port
        self._loop = asyncio.new_event_loop()
        self._listens = threading.Event()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="TLS recorder")

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._listens.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
        self._loop.close()

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0, ssl=self._server_side)
        self.port = server.sockets[0].getsockname()[1]
        self._listens.set()
        await self._over.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        recorded = Recorded()
        self.connections.append(recorded)
        with contextlib.closing(writer), contextlib.suppress(OSError):
            there = await asyncio.open_connection("127.0.0.1", self._upstream_port, ssl=self._client_side)
            with contextlib.closing(there[1]):
                ways = (_pass_on(reader, there[1], recorded.up), _pass_on(there[0], writer, recorded.down))
                # TLS has no half-closed connections here: one side's end is the end.
                _, open_still = await asyncio.wait(map(asyncio.ensure_future, ways), return_when="FIRST_COMPLETED")
                for task in open_still:
                    task.cancel()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bytearray) -> None:
    with contextlib.suppress(OSError, asyncio.CancelledError):
        while piece := await reader.read(_PIECE_BYTES):
            kept += piece
            writer.write(piece)
            await writer.drain()
        await writer.drain()
