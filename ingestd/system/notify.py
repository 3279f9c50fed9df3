"""What systemd is told (sd_notify(3)): READY=1, STATUS=, WATCHDOG=1, STOPPING=1."""

from __future__ import annotations

import os

import systemd.daemon


class Notifier:
    """One supervisor's word to systemd; does nothing where there is no NOTIFY_SOCKET. Supervisor thread."""

    def __init__(self) -> None:
        self._status = ""
        self._ready = False
        usec = os.environ.get("WATCHDOG_USEC", "")
        self.watchdog_every_s: float | None = int(usec) / 2e6 if usec.isdecimal() and int(usec) else None
        """How often `watchdog` is to be called: half of what the unit allows. None where it has no watchdog."""

    def ready(self) -> None:
        """Started: streaming, or waiting sensibly. Once is enough."""
        if not self._ready:
            self._ready = True
            systemd.daemon.notify("READY=1")

    def status(self, line: str) -> None:
        """The line that `systemctl status` shows."""
        if line != self._status:
            self._status = line
            systemd.daemon.notify(f"STATUS={line}")

    def watchdog(self) -> None:
        """Still making progress."""
        systemd.daemon.notify("WATCHDOG=1")

    def stopping(self) -> None:
        """On the way out."""
        systemd.daemon.notify("STOPPING=1")
