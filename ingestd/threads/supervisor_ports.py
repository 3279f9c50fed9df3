"""What the supervisor knows of the network's events and of whoever hears what happens."""

from __future__ import annotations

from typing import Protocol

from ingestd.core import wire
from ingestd.core.lifecycle import State
from ingestd.threads.mailbox import DeviceChanged


class NetworkEvents(Protocol):
    """See `net.network_watch`."""

    def fileno(self) -> int:
        """Readable when something changed, or -1."""

    def came_back(self) -> bool:
        """True if a link, address or route has come."""


class Reporter(Protocol):
    """Who hears of what happens: log, systemd, status, clients. Called by the supervisor thread only."""

    def state(self, state: State, epoch: int, reason: str, fault: str | None) -> None:
        """The lifecycle moved; `fault` is the key of what made it, None where nothing went wrong."""

    def room_event(self, event: wire.Event) -> None:
        """Something other than audio came in."""

    def device(self, mail: DeviceChanged) -> None:
        """A sound device was opened or lost."""

    def heartbeat(self) -> None:
        """About once a second, from the supervisor's own loop."""

    def bug(self, message: str, error: BaseException) -> None:
        """Something happened that nobody expected."""
