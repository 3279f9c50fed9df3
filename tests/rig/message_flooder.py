"""A local program that publishes as fast as it can: `python -m tests.rig.message_flooder SOCKET TOPIC SIZE_BYTES`.

It takes a number of seconds a line on its standard input, publishes for that long, and prints how often it asked.
"""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.rig.process import end, spawn

_REPO: Final = Path(__file__).resolve().parents[2]
_WAITS_S: Final = 0.5
"""What did not go by then is not to go on after the flood."""


class Flooder:
    """That process, from one thread."""

    def __init__(self, path: Path, topic: str, size_bytes: int) -> None:
        command = [sys.executable, "-m", "tests.rig.message_flooder", str(path), topic, str(size_bytes)]
        self._process = spawn(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None, cwd=_REPO)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end(self._process)

    def flood(self, seconds: float) -> int:
        """For so long; how many messages it had for the room."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{seconds}\n".encode())
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def _flood(path: str, line: bytes, seconds: float) -> int:
    until_s, asked, unsent = time.monotonic() + seconds, 0, b""
    with socket.socket(socket.AF_UNIX) as sock, selectors.DefaultSelector() as selector:
        sock.connect(path)
        sock.setblocking(False)
        selector.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE)
        while (left_s := until_s - time.monotonic()) > 0:
            selector.select(left_s)
            with contextlib.suppress(BlockingIOError):
                while sock.recv(262_144):
                    pass
            with contextlib.suppress(BlockingIOError):
                if not unsent:
                    unsent = line
                    asked += 1
                unsent = unsent[sock.send(unsent) :]
    return asked


def main() -> None:
    """The process itself."""
    path, topic, size = sys.argv[1:]
    params = {"topic": topic, "data": "x" * int(size), "wait_s": _WAITS_S}
    request = json.dumps({"jsonrpc": "2.0", "method": "publish", "params": params, "id": 1}).encode() + b"\n"
    for line in sys.stdin:
        print(_flood(path, request, float(line)), flush=True)


if __name__ == "__main__":
    main()
