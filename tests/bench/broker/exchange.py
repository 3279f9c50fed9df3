"""HTTP/1.1 as the bench speaks it to a broker: one request at a time, on a connection that may be kept. asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final, NamedTuple

_LARGEST_HEADER_BYTES: Final = 65536

Address = tuple[str, int]


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


class Connection:
    """To one address; opened when it is first needed, and again where the other side has closed it meanwhile."""

    def __init__(self, address: Address, connect_s: float, answer_s: float) -> None:
        """How long it may take to be connected, and from the request to the whole answer."""
        self._address = address
        self._connect_s = connect_s
        self._answer_s = answer_s
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, request: bytes) -> Answer:
        """Raises OSError, EOFError, TimeoutError or ValueError where no answer came, or none that can be read."""
        kept = self._writer is not None
        try:
            return await self._ask(request)
        except (OSError, EOFError):
            self.close()
            if not kept:
                raise
        return await self._ask(request)

    async def _ask(self, request: bytes) -> Answer:
        try:
            async with asyncio.timeout(self._connect_s):
                if self._writer is None or self._reader is None:
                    self._reader, self._writer = await asyncio.open_connection(*self._address)
            async with asyncio.timeout(self._answer_s):
                self._writer.write(request)
                answer = await _read(self._reader)
        except BaseException:
            self.close()
            raise
        if answer.headers.get("connection", "").lower() == "close":
            self.close()
        return answer

    def close(self) -> None:
        """Closes it; the next request opens another."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


def request_of_device(key: str, path: str = "/v1/sessions", body: str = "{}", *, kept: bool = True) -> bytes:
    """A device's request for a session; `kept` where the connection is to stay."""
    lines = [f"POST {path} HTTP/1.1", "Host: broker", f"Authorization: Bearer {key}", "Content-Type: application/json"]
    lines += [f"Content-Length: {len(body)}"] if kept else [f"Content-Length: {len(body)}", "Connection: close"]
    return "\r\n".join([*lines, "", body]).encode("ascii")


async def _read(reader: asyncio.StreamReader) -> Answer:
    head = await reader.readuntil(b"\r\n\r\n")
    if len(head) > _LARGEST_HEADER_BYTES:
        raise ValueError("a header that is too large")
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = (line.partition(":") for line in lines if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in fields}
    body = await reader.readexactly(int(headers["content-length"]))
    return Answer(int(first.split(" ")[1]), headers, body)
