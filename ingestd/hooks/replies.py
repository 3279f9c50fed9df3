"""Replies on their way to the room: a few asked for at once, as ingestd takes few of one client; the rest wait."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from ingestd.control.protocol import RpcError
from ingestd.hooks.link import Answered

AT_ONCE: Final = 8
WAITING: Final = 256

Failed = Callable[[str], None]
"""Takes why a reply was not published."""


class Replies:
    """One thread. `request` is `Link.request`."""

    def __init__(self, request: Callable[[str, dict[str, Any], Answered], None]) -> None:
        self._request = request
        self._waiting: deque[tuple[str, str, Failed]] = deque()
        self._asked = 0
        self._asking = False

    def publish(self, topic: str, text: str, failed: Failed) -> None:
        """In order, each once the room took one before it."""
        if len(self._waiting) >= WAITING:
            failed(f"{WAITING} replies wait already")
            return
        self._waiting.append((topic, text, failed))
        self._go_on()

    def _go_on(self) -> None:
        if self._asking:
            return  # answered at once, as there is no connection: the loop below goes on
        self._asking = True
        while self._waiting and self._asked < AT_ONCE:
            topic, text, failed = self._waiting.popleft()
            self._asked += 1
            self._request("publish", {"topic": topic, "data": text}, partial(self._answered, failed))
        self._asking = False

    def _answered(self, failed: Failed, _result: Any, error: RpcError | None) -> None:
        self._asked -= 1
        if error is not None:
            failed(str(error))
        self._go_on()
