"""A client of the control socket, for ingestctl and for tests."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from ingestd.control import protocol
from ingestd.control.protocol import RpcError

_TRY_AGAIN_S: Final = 0.02


class ControlClient:
    """One connection. Raises OSError where nobody listens, ConnectionError where the daemon hangs up."""

    def __init__(self, path: Path, timeout_s: float = 5.0) -> None:
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.settimeout(timeout_s)
        self.timeout_s = timeout_s
        """How long the answer to a call may take."""
        try:
            self._connect(str(path))
        except OSError:
            self._sock.close()
            raise
        self._unparsed = bytearray()
        self._last_id = 0
        self._notifications: deque[dict[str, Any]] = deque()

    def _connect(self, path: str) -> None:
        until_s = time.monotonic() + self.timeout_s
        while True:
            try:
                self._sock.connect(path)
                return
            except BlockingIOError:  # many want to be let in: a socket with a time-out does not queue
                if time.monotonic() >= until_s:
                    raise TimeoutError("the daemon lets nobody in; too many programs try to connect") from None
            time.sleep(_TRY_AGAIN_S)

    def call(self, method: str, **params: Any) -> Any:
        """The method's result. Raises RpcError with what the daemon answered instead."""
        self._last_id += 1
        self._sock.settimeout(self.timeout_s)
        # Where the daemon has hung up already, it has said why.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._sock.sendall(protocol.encode_request(method, params, self._last_id))
        while True:
            answer = self._next()
            if "method" in answer:
                self._notifications.append(answer)
                continue
            if answer.get("id") not in (self._last_id, None):
                continue  # to an earlier call, whose answer came too late
            if "error" in answer:
                raise RpcError(int(answer["error"]["code"]), str(answer["error"]["message"]))
            return answer["result"]

    def notification(self, timeout_s: float | None) -> dict[str, Any]:
        """The next notification: `method` and `params`. Raises TimeoutError; None waits for ever."""
        if self._notifications:
            return self._notifications.popleft()
        self._sock.settimeout(timeout_s)
        while "method" not in (answer := self._next()):
            pass
        return answer

    def close(self) -> None:
        """Hangs up."""
        self._sock.close()

    def _next(self) -> dict[str, Any]:
        # By hand: a file made of a socket can't be read any more after its first time-out.
        while (end := self._unparsed.find(b"\n")) < 0:
            data = self._sock.recv(65536)
            if not data:
                raise ConnectionError("the daemon closed the control connection")
            self._unparsed += data
        line = bytes(self._unparsed[:end])
        del self._unparsed[: end + 1]
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise ConnectionError("the daemon sent something that is not JSON-RPC")
        return answer

    def __enter__(self) -> ControlClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
