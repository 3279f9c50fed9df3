"""A fault strikes what is still there."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from tests.standin import inject
from tests.standin.certificates import server_context


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_connection_is_lost_before_its_protocol_hears_of_it(tmp_path: Path, tls: bool) -> None:
    asyncio.run(_meet_and_part(*(server_context(tmp_path, (), expired=False) if tls else (None, None))))


async def _meet_and_part(context: ssl.SSLContext | None, ca_file: Path | None) -> None:
    loop = asyncio.get_running_loop()
    lost: asyncio.Future[bool] = loop.create_future()

    class Served(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            assert not inject.is_lost(self.transport)
            inject.set_reset(self.transport)

        def connection_lost(self, exc: Exception | None) -> None:
            lost.set_result(inject.is_lost(self.transport))

    server = await loop.create_server(Served, "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        trusted = ssl.create_default_context(cafile=ca_file) if ca_file is not None else None
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusted)
        writer.write(b"hello")
        await writer.drain()
        writer.transport.abort()  # over TLS no word of farewell: what is above it is not told that it closes
        assert await lost
