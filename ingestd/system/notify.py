"""What systemd is told (sd_notify(3)): READY=1, STATUS=, RELOADING=1, WATCHDOG=1, STOPPING=1."""

from __future__ import annotations

import os
import socket
import time


class Notifier:
    """One supervisor's word to systemd; does nothing where there is no NOTIFY_SOCKET. Supervisor thread."""

    def __init__(self) -> None:
        self._status = ""
        self._ready = False
        self._owed: dict[str, str] = {}  # said, and not taken
        usec = os.environ.get("WATCHDOG_USEC", "")
        self.watchdog_every_s: float | None = int(usec) / 2e6 if usec.isdecimal() and int(usec) else None
        """How often `watchdog` is to be called: half of what the unit allows. None where it has no watchdog."""

    def ready(self) -> None:
        """Started: streaming, or waiting sensibly. Once is enough."""
        if not self._ready:
            self._ready = True
            self._say("READY", "1")

    def reloading(self) -> None:
        """The configuration is being read anew; to be followed by `reloaded` (sd_notify(3), Type=notify-reload)."""
        _tell(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def reloaded(self) -> None:
        """Done, whether or not anything has changed."""
        self._ready = True
        self._say("READY", "1")

    def status(self, line: str) -> None:
        """The line that `systemctl status` shows."""
        if line != self._status:
            self._status = line
            self._say("STATUS", line)

    def watchdog(self) -> bool:
        """Still making progress; False where the word was not taken, and is to be said again."""
        return _tell("WATCHDOG=1")

    def repeat(self) -> None:
        """Says once more what was not taken. About once a second."""
        for name, value in list(self._owed.items()):
            self._say(name, value)

    def _say(self, name: str, value: str) -> None:
        if _tell(f"{name}={value}"):
            self._owed.pop(name, None)
        else:
            self._owed[name] = value

    def stopping(self) -> None:
        """On the way out."""
        _tell("STOPPING=1")


def _tell(what: str) -> bool:
    """One datagram, or none: a systemd that does not read must hold up nobody, which systemd-python's `notify` would.

    False where nobody took it; True also where nobody is to be told.
    """
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return True
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
            sock.sendto(what.encode(), "\0" + path[1:] if path[0] == "@" else path)
    except OSError:
        return False
    return True
