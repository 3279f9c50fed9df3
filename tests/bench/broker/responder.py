"""The least that a broker takes for the service: an answer to every session request, after a fixed time. A process.

    python -m tests.bench.broker.responder DELAY_MS PUBLIC_KEY.pem

It signs, checks and keeps nothing, so that what is measured is the broker. Prints its port once it listens.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.bench.installed import REPO
from tests.rig.process import end, spawn

_BACKLOG: Final = 1024


class Responder:
    """One of them, as a context manager; from one thread."""

    def __init__(self, public_key: Path, delay_ms: float = 0.0) -> None:
        """`public_key` is the PEM file of the key that webhooks are signed with."""
        command: list[str | Path] = [sys.executable, "-m", "tests.bench.broker.responder", str(delay_ms), public_key]
        self._process = spawn(command, stdout=subprocess.PIPE, cwd=REPO)
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end(self._process)


class _Service:
    """What all connections answer with."""

    def __init__(self, delay_s: float, public_key: str) -> None:
        self.delay_s = delay_s
        self.key_answer = _answer({"publicKey": public_key})
        self._run = secrets.token_hex(4)
        self._numbers = itertools.count()

    def session_answer(self) -> bytes:
        name = f"{self._run}-{next(self._numbers)}"
        data = {"wsUrl": f"ws://127.0.0.1:9/videosdk?ref=vs_{name}", "callId": name, "expiresIn": 90}
        return _answer({"message": "Ingest session created", "data": data})


class _Connection(asyncio.Protocol):
    """Takes one request at a time, as pooled clients send them."""

    def __init__(self, service: _Service) -> None:
        self._service = service
        self._waiting = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        head, end_of_head, body = self._waiting.partition(b"\r\n\r\n")
        if not end_of_head or len(body) < _length(head):
            return
        self._waiting = b""
        if head.startswith(b"GET /v2/public/rsa-public-key "):
            self._transport.write(self._service.key_answer)
        elif self._service.delay_s:
            asyncio.get_running_loop().call_later(self._service.delay_s, self._create)
        else:
            self._create()

    def _create(self) -> None:
        self._transport.write(self._service.session_answer())


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def _answer(value: object) -> bytes:
    body = json.dumps(value).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


async def _serve(service: _Service) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(service), "127.0.0.1", 0, backlog=_BACKLOG)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(_Service(float(sys.argv[1]) / 1000.0, Path(sys.argv[2]).read_text())))
