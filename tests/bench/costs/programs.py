"""Local programs beside a call, in a process of their own: many that listen to a topic, or one that publishes.

    python -m tests.bench.costs.programs SOCKET TOPIC listen CLIENTS
    python -m tests.bench.costs.programs SOCKET TOPIC publish

They answer each line on their standard input with one: a listener with how many messages its clients have had so far;
a publisher, told `PER_S SECONDS`, with what became of its messages.
"""

from __future__ import annotations

import json
import selectors
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.rig.process import end, spawn

_REPO: Final = Path(__file__).resolve().parents[3]
_WAITS_S: Final = 0.5
"""How long a message may wait for its turn."""


class Programs:
    """Such a process, from one thread."""

    def __init__(self, path: Path, topic: str, *role: str) -> None:
        """Returns once it has connected."""
        command = [sys.executable, "-m", "tests.bench.costs.programs", str(path), topic, *role]
        self._process = spawn(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None, cwd=_REPO)
        self.answer()

    def ask(self) -> int:
        """How many messages its clients have had."""
        self.tell("")
        return int(self.answer())

    def tell(self, line: str) -> None:
        """Says it; the answer comes in its time."""
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def answer(self) -> Any:
        """Waits for the answer to one line."""
        assert self._process.stdout is not None
        if not (line := self._process.stdout.readline()):
            raise RuntimeError("a local program has failed; its standard error says why")
        return json.loads(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end(self._process)


def _request(method: str, **params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": 1}).encode() + b"\n"


def _listen(path: str, topic: str, clients: int) -> None:
    heard = 0
    with selectors.DefaultSelector() as selector:
        for _ in range(clients):
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(path)
            sock.sendall(_request("subscribe", topic=topic))
            while not sock.recv(65536).endswith(b"\n"):
                pass  # the answer
            selector.register(sock, selectors.EVENT_READ)
        selector.register(sys.stdin, selectors.EVENT_READ)
        print("0", flush=True)
        while True:
            for key, _ in selector.select():
                if isinstance(key.fileobj, socket.socket):
                    if not (data := key.fileobj.recv(262_144)):
                        raise ConnectionError("the daemon hung up")
                    heard += data.count(b'"method":"message"')
                elif sys.stdin.readline():
                    print(heard, flush=True)
                else:
                    return


def _publish(path: str, topic: str) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        sock.setblocking(False)
        print("0", flush=True)
        for line in sys.stdin:
            per_s, seconds = map(float, line.split())
            request = _request("publish", topic=topic, data="x" * 32, wait_s=_WAITS_S)
            print(json.dumps(_published(sock, request, per_s, seconds)), flush=True)


def _published(sock: socket.socket, request: bytes, per_s: float, seconds: float) -> dict[str, float]:
    """By the second: those that went out, those refused, those that the daemon did not even read."""
    began_s = time.monotonic()
    asked = unread = 0
    answers = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_READ)
        while (now := time.monotonic()) < began_s + seconds + _WAITS_S:
            if now < began_s + seconds and now >= began_s + asked / per_s:
                asked += 1
                try:
                    sock.send(request)
                except BlockingIOError:
                    unread += 1
                continue
            due_s = began_s + asked / per_s if now < began_s + seconds else began_s + seconds + _WAITS_S
            if selector.select(max(0.0, due_s - now)):
                answers += sock.recv(262_144)
    accepted = answers.count(b'"sent":true')
    refused = answers.count(b'"error"')
    return {"accepted_per_s": accepted / seconds, "refused_per_s": refused / seconds, "unread_per_s": unread / seconds}


if __name__ == "__main__":
    path, topic, role, *more = sys.argv[1:]
    if role == "listen":
        _listen(path, topic, int(more[0]))
    else:
        _publish(path, topic)
