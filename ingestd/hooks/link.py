"""The connection to ingestd's control socket, looked for anew for as long as it takes. It never waits for an answer."""

from __future__ import annotations

import json
import selectors
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

from ingestd.control import protocol
from ingestd.control.protocol import RpcError
from ingestd.core.backoff import Backoff

Answered = Callable[[Any, RpcError | None], None]
"""Takes the result of a request, or why there is none."""

_READ_BYTES: Final = 262_144
_MAX_LINE_BYTES: Final = 1_048_576
_MAX_UNSENT_BYTES: Final = 1_048_576
_FIRST_WAIT_S: Final = 0.2
_LONGEST_WAIT_S: Final = 5.0
_LEAST_WAIT_S: Final = 0.05


class Listener(Protocol):
    """Who hears of the connection."""

    def connected(self) -> None:
        """ingestd takes requests now."""

    def notified(self, method: str, params: dict[str, Any]) -> None:
        """ingestd says that something happened."""

    def unreachable(self, why: str, absent: bool) -> None:
        """An attempt to connect failed; each one is told. `absent`: there is no ingestd, and so no call either."""


class Link:
    """One thread, that of `selector`: it calls what is registered there. Times are CLOCK_MONOTONIC seconds."""

    def __init__(
        self,
        path: Path,
        selector: selectors.BaseSelector,
        listener: Listener,
        random: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        """`random` gives uniform numbers in [0, 1), `clock` is CLOCK_MONOTONIC."""
        self._path = path
        self._clock = clock
        self._selector = selector
        self._listener = listener
        self._backoff = Backoff(random, _FIRST_WAIT_S, _LONGEST_WAIT_S, _LEAST_WAIT_S)
        self._sock: socket.socket | None = None
        self._unparsed = bytearray()
        self._unsent = bytearray()
        self._answers: dict[int, Answered] = {}
        self._last_id = 0
        self._served = False
        self._refusal = ""
        self.due_s: float | None = 0.0
        """When `step` is to be called; None while there is a connection."""

    @property
    def path(self) -> Path:
        """The socket's."""
        return self._path

    @property
    def is_up(self) -> bool:
        """There is a connection."""
        return self._sock is not None

    def move(self, path: Path) -> None:
        """The socket is at another path now."""
        if path != self._path:
            self._path = path
            self._served = True
            self._lose()
            self.due_s = self._clock()

    def step(self, now: float) -> None:
        """Tries to connect, where that is due."""
        if self._sock is not None or self.due_s is None or now < self.due_s:
            return
        self.due_s = now + self._backoff.next_s()
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            sock.connect(str(self._path))
        except OSError as error:
            sock.close()
            absent = isinstance(error, FileNotFoundError | ConnectionRefusedError)
            self._listener.unreachable(error.strerror or str(error), absent)
            return
        self._sock = sock
        self._served = False
        self._refusal = "it hung up before it answered"
        self.due_s = None
        self._selector.register(sock, selectors.EVENT_READ, partial(self._serve, sock))
        self._listener.connected()

    def request(self, method: str, params: dict[str, Any], answered: Answered) -> None:
        """Asks for something; the answer comes later. Where there is no connection, or it breaks, it is UNAVAILABLE."""
        if self._sock is None:
            answered(None, RpcError(protocol.UNAVAILABLE, "there is no connection to ingestd"))
            return
        if len(self._unsent) > _MAX_UNSENT_BYTES:
            answered(None, RpcError(protocol.UNAVAILABLE, "ingestd does not read what it is asked"))
            return
        self._last_id += 1
        self._answers[self._last_id] = answered
        self._unsent += protocol.encode_request(method, params, self._last_id)
        self._flush(self._sock)

    def close(self) -> None:
        """For good."""
        self._served = True
        self._lose()
        self.due_s = None

    def _lose(self) -> None:
        if self._sock is None:
            return
        self._selector.unregister(self._sock)
        self._sock.close()
        self._sock = None
        self._unparsed.clear()
        self._unsent.clear()
        self.due_s = self._clock() + self._backoff.next_s()
        if not self._served:
            self._listener.unreachable(self._refusal, False)
        answers, self._answers = self._answers, {}
        for answered in answers.values():
            answered(None, RpcError(protocol.UNAVAILABLE, "the connection to ingestd was lost"))

    def _serve(self, sock: socket.socket) -> None:
        """The socket is ready."""
        try:
            data = sock.recv(_READ_BYTES)
        except BlockingIOError:
            data = None
        except OSError:
            data = b""
        if data == b"" or len(self._unparsed) > _MAX_LINE_BYTES:
            self._lose()
            return
        self._flush(sock)
        self._unparsed += data or b""
        *lines, rest = self._unparsed.split(b"\n")
        self._unparsed = rest
        for line in lines:
            if self._sock is sock:
                self._take(line)

    def _take(self, line: bytes | bytearray) -> None:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(value, dict):
            return
        params, error = value.get("params"), value.get("error")
        if isinstance(method := value.get("method"), str) and isinstance(params, dict):
            self._listener.notified(method, params)
        elif (answered := self._answers.pop(value.get("id") or 0, None)) is not None:
            self._served = True  # not one that hangs up on whoever connects
            self._backoff.reset()
            if isinstance(error, dict):
                answered(None, RpcError(int(error.get("code", 0)), str(error.get("message"))))
            else:
                answered(value.get("result"), None)
        elif isinstance(error, dict):  # to no request: why it turns us away
            self._refusal = str(error.get("message"))

    def _flush(self, sock: socket.socket) -> None:
        if self._unsent:
            try:
                del self._unsent[: sock.send(self._unsent)]
            except BlockingIOError:
                pass
            except OSError:
                self._unsent.clear()  # reading tells that it is over
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
        self._selector.modify(sock, wanted, partial(self._serve, sock))
