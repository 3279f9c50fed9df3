"""What the daemon says, over one connection that is made anew whenever it is gone. One thread."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from ingestd.control.client import ControlClient
from ingestd.control.protocol import RpcError
from ingestd.ctl.away import no_answer, remedy
from ingestd.ctl.paint import one_line
from ingestd.ctl.reading import Reading

_AGAIN_S: Final = 0.5
_ANSWER_S: Final = 1.0
"""As long as the screen may stand still where the daemon hangs."""
_DONE_S: Final = 5.0
"""For what is answered only when it is on the disk: a worn memory card takes seconds."""
_AT_ONCE_S: Final = 0.001
_MOST_AT_ONCE: Final = 200
_NOBODY: Final = "no ingestd answers"


class Feed:
    """Status and notifications. What goes wrong is in `away`, and raises nothing."""

    def __init__(
        self,
        socket: Path,
        topics: Sequence[str] | None,
        refused: Callable[[str], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`topics` whose messages are wanted; None: those that the daemon listens to. `refused` hears every no."""
        self._socket = socket
        self._topics = topics
        self._refused = refused
        self._now = now
        self._client: ControlClient | None = None
        self._again_s = -math.inf
        self.reading: Reading | None = None
        """The last one."""
        self.away: tuple[str, str] | None = None
        """Why nothing is heard now, and what helps."""

    def poll(self) -> list[dict[str, Any]]:
        """Asks for the status; the notifications that came meanwhile: `method` and `params`."""
        if self._client is None and self._now() < self._again_s:
            return []
        try:
            client = self._client or self._connected()
            self.reading = Reading(client.call("status"))
            self.away = None
            return _told(client)
        except OSError as error:
            self._lost(error)
        except RpcError as error:
            self.away = one_line(f"ingestd can't tell its status: {error}"), "See `journalctl -u ingestd`."
        return []

    def ask(self, method: str) -> Any:
        """The answer of a method that takes nothing; None where there is none, of which `refused` has heard."""
        if (client := self._client) is None:
            self._refused(_NOBODY)
            return None
        client.timeout_s = _DONE_S
        try:
            return client.call(method)
        except RpcError as error:
            self._refused(str(error))
        except OSError as error:
            self._lost(error)
            self._refused(_NOBODY)
        finally:
            client.timeout_s = _ANSWER_S
        return None

    def close(self) -> None:
        """Hangs up."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _connected(self) -> ControlClient:
        self._client = client = ControlClient(self._socket, _ANSWER_S)
        topics = self._topics
        if topics is None:
            topics = Reading(client.call("status")).value("messaging.topics") or ()
        for topic in topics:
            try:
                client.call("subscribe", topic=topic)
            except RpcError as error:
                self._refused(f"{error} ({one_line(topic, 40)})")
        return client

    def _lost(self, error: OSError) -> None:
        self.close()
        self.away = no_answer(self._socket, error), remedy(error)
        self._again_s = self._now() + _AGAIN_S


def _told(client: ControlClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    try:
        while len(found) < _MOST_AT_ONCE:
            found.append(client.notification(_AT_ONCE_S))
    except TimeoutError:
        pass
    return found
