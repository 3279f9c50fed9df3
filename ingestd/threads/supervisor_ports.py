"""What the supervisor knows of the network's events and of whoever hears what happens."""

from __future__ import annotations

from typing import Protocol

from ingestd.core import wire
from ingestd.core.lifecycle import State
from ingestd.core.presence import RoomView
from ingestd.threads.mailbox import DeviceChanged, MetricsChanged


class Events(Protocol):
    """What the network's events come to."""

    @property
    def came_back(self) -> bool:
        """A link, address or route has come."""

    @property
    def changed(self) -> bool:
        """Packets may go another way now."""


class NetworkEvents(Protocol):
    """See `net.network_watch`."""

    def fileno(self) -> int:
        """Readable when something changed, or -1."""

    def take(self) -> Events:
        """What has happened since the last time; never waits."""


class Reporter(Protocol):
    """Who hears of what happens: log, systemd, status, clients. Called by the supervisor thread only."""

    def state(self, state: State, epoch: int, reason: str, error: Exception | None) -> None:
        """The lifecycle moved, by that error where there was one."""

    def session(self, epoch: int, call_id: str | None) -> None:
        """The attempt of `epoch` has a session, by the service's name for it."""

    def room_event(self, event: wire.Event) -> None:
        """Something other than audio came in."""

    def device(self, mail: DeviceChanged) -> None:
        """A sound device was opened or lost."""

    def metrics(self, mail: MetricsChanged) -> None:
        """Figures are served, or can't be."""

    def heartbeat(self, room: RoomView | None) -> None:
        """About once a second; `room` says who is there, while the device is in it."""

    def bug(self, message: str, error: BaseException) -> None:
        """Something happened that nobody expected."""
