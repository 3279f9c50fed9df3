"""What systemd is told (sd_notify(3)): READY=1, STATUS=, RELOADING=1, WATCHDOG=1, STOPPING=1."""

from __future__ import annotations

import contextlib
import os
import socket
import time


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
            _tell("READY=1")

    def reloading(self) -> None:
        """The configuration is being read anew; to be followed by `reloaded` (sd_notify(3), Type=notify-reload)."""
        _tell(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def reloaded(self) -> None:
        """Done, whether or not anything has changed."""
        self._ready = True
        _tell("READY=1")

    def status(self, line: str) -> None:
        """The line that `systemctl status` shows."""
        if line != self._status:
            self._status = line
            _tell(f"STATUS={line}")

    def watchdog(self) -> None:
        """Still making progress."""
        _tell("WATCHDOG=1")

    def stopping(self) -> None:
        """On the way out."""
        _tell("STOPPING=1")


def _tell(what: str) -> None:
    """One datagram, or none: a systemd that does not read must hold up nobody, which systemd-python's `notify` would.

    Nor is a word that nobody takes a reason to leave the room.
    """
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
        sock.sendto(what.encode(), "\0" + path[1:] if path[0] == "@" else path)
