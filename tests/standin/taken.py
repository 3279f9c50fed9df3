"""Answering an HTTP request past aiohttp, straight on its transport."""

from __future__ import annotations

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


def reset(request: web.Request) -> Taken:
    """Reset the TCP connection instead of answering."""
    if request.transport is not None:
        set_reset(request.transport)
        request.transport.abort()
    return Taken()


def raw(request: web.Request, data: bytes) -> Taken:
    """Write bytes instead of an answer, and hang up."""
    if request.transport is not None:
        request.transport.write(data)
        request.transport.close()
    return Taken()
