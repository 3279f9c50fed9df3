"""Answering an HTTP request past aiohttp, straight on its transport."""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from tests.standin.inject import set_reset


class Taken(web.StreamResponse):
    """Tells aiohttp that the request is answered already and that its connection ends."""

    def __init__(self) -> None:
        super().__init__()
        self.force_close()

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write nothing."""
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Write nothing."""


def transport_of(request: web.Request) -> asyncio.Transport:
    """The transport under a request; raises ConnectionResetError if the client has left."""
    if request.transport is None:
        raise ConnectionResetError("the client has left")
    assert isinstance(request.transport, asyncio.Transport)
    return request.transport


def reset(request: web.Request) -> Taken:
    """Reset the TCP connection instead of answering."""
    transport = transport_of(request)
    set_reset(transport)
    transport.abort()
    return Taken()


def raw(request: web.Request, data: bytes) -> Taken:
    """Write bytes instead of an answer, and hang up."""
    transport = transport_of(request)
    transport.write(data)
    transport.close()
    return Taken()
