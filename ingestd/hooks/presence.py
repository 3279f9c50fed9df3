"""Whether the device is in the room, as far as state handlers were told. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ingestd.core.lifecycle import IN_THE_ROOM

_IN_THE_ROOM: Final = frozenset(state.value for state in IN_THE_ROOM)

News = dict[str, Any]
"""What a program reads of a state: event, state, reason, epoch, detail."""


class Presence:
    """One thread. Each method gives what handlers are to be told now, or None."""

    def __init__(self) -> None:
        self._told: bool | None = None

    def notified(self, params: Mapping[str, Any]) -> News | None:
        """The daemon says what happened."""
        event = params.get("event")
        if not isinstance(event, str):
            return None
        if event in ("connected", "disconnected"):
            if self._told is (event == "connected"):
                return None  # a status told it before
            self._told = event == "connected"
        return _news(event, params.get("state"), params.get("reason"), params.get("epoch"), params.get("detail"))

    def status(self, status: Mapping[str, Any]) -> News | None:
        """The daemon says what is, as it does after we connected to it."""
        session = status.get("session")
        epoch = session.get("epoch") if isinstance(session, dict) else None
        return self._now(status.get("state") in _IN_THE_ROOM, status.get("state"), status.get("reason"), epoch)

    def daemon_gone(self) -> News | None:
        """Nobody answers on the control socket."""
        return self._now(False, None, "ingestd does not answer on its control socket", None)

    def _now(self, here: bool, state: object, reason: object, epoch: object) -> News | None:
        if self._told is here:
            return None
        self._told = here
        return _news("connected" if here else "disconnected", state, reason, epoch, None)


def _news(event: str, state: object, reason: object, epoch: object, detail: object) -> News:
    return {"event": event, "state": state, "reason": reason, "epoch": epoch, "detail": detail}
