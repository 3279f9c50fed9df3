"""Sends the same requests over and over, as fast as they are answered, from a process of its own."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.rig.process import end, spawn
from tests.rig.raw_http import RawClient

_REPO = Path(__file__).resolve().parents[2]


class HttpFlood:
    """That process; a context manager, for one thread."""

    def __init__(self, port: int, requests: Mapping[str, bytes], connections: int) -> None:
        """Each request, told apart by its name, is sent over `connections` connections of its own."""
        self.statuses: dict[str, Counter[int]] = {}
        """How often each was answered how, by its name; known once it is over,"""
        self.retry_after: dict[str, list[str]] = {}
        """and the different Retry-After that came."""
        coded = {name: base64.b64encode(request).decode() for name, request in requests.items()}
        self._plan = json.dumps({"port": port, "requests": coded, "connections": connections})

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.rig.http_flood"]
        self._process = spawn(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None, cwd=_REPO)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(self._plan.encode() + b"\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == b"under way\n"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                out, _ = self._process.communicate(timeout=30)
                told = json.loads(out)
                self.retry_after = told["retry_after"]
                self.statuses = {
                    name: Counter({int(status): count for status, count in counts.items()})
                    for name, counts in told["statuses"].items()
                }
        finally:
            end(self._process)


def _send(port: int, request: bytes, statuses: Counter[int], retry_after: set[str], over: threading.Event) -> None:
    while not over.is_set():
        try:
            with RawClient(port) as client:
                while not over.is_set():
                    answer = client.ask(request)
                    statuses[answer.status] += 1
                    if (wait := answer.header("Retry-After")) is not None:
                        retry_after.add(wait)
                    if answer.header("Connection") == "close":
                        break
        except OSError:
            statuses[0] += 1


def main() -> None:
    """The process itself: a plan in, and once standard input ends what came of it out."""
    plan = json.loads(sys.stdin.readline())
    over = threading.Event()
    statuses: dict[str, Counter[int]] = {name: Counter() for name in plan["requests"]}
    retry_after: dict[str, set[str]] = {name: set() for name in plan["requests"]}
    threads = [
        threading.Thread(
            target=_send, args=(plan["port"], base64.b64decode(coded), statuses[name], retry_after[name], over)
        )
        for name, coded in plan["requests"].items()
        for _ in range(plan["connections"])
    ]
    for thread in threads:
        thread.start()
    print("under way", flush=True)
    sys.stdin.read()
    over.set()
    for thread in threads:
        thread.join()
    told = {name: sorted(waits) for name, waits in retry_after.items()}
    print(json.dumps({"statuses": statuses, "retry_after": told}), flush=True)


if __name__ == "__main__":
    main()
