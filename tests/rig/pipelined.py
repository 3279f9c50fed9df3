"""A client of the control socket that goes on asking while its requests wait for their answers."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any


class Pipelined:
    """One connection. Use as a context manager, from one thread."""

    def __init__(self, path: Path, timeout_s: float = 20.0) -> None:
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.settimeout(timeout_s)
        self._sock.connect(str(path))
        self._lines = self._sock.makefile("rb")
        self._last_id = 0
        self._answers: dict[int, dict[str, Any]] = {}
        self.open = 0
        """Requests that are not answered yet, as far as was read."""

    def __enter__(self) -> Pipelined:
        return self

    def __exit__(self, *_error: object) -> None:
        self._lines.close()
        self._sock.close()

    def ask(self, method: str, **params: Any) -> int:
        """Sends a request, of any params that JSON can spell; its id is for `answer`."""
        self._last_id += 1
        request = {"jsonrpc": "2.0", "method": method, "params": params, "id": self._last_id}
        self._sock.sendall(json.dumps(request).encode() + b"\n")
        self.open += 1
        return self._last_id

    def publish_all(self, topic: str, texts: list[str], most_open: int = 8) -> list[dict[str, Any]]:
        """Publishes them in order, some of them waiting at a time; the answers, with `result` or `error`."""
        ids = []
        for text in texts:
            while self.open >= most_open:
                self._read()
            ids.append(self.ask("publish", topic=topic, data=text))
        return [self.answer(request_id) for request_id in ids]

    def answer(self, request_id: int) -> dict[str, Any]:
        """Waits for it: `result` or `error`."""
        while request_id not in self._answers:
            self._read()
        return self._answers.pop(request_id)

    def _read(self) -> None:
        line = self._lines.readline()
        if not line:
            raise ConnectionError("the daemon closed the control connection")
        answer: dict[str, Any] = json.loads(line)
        if "id" in answer:
            self._answers[answer["id"]] = answer
            self.open -= 1
