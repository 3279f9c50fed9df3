"""The device's process of the matrix, and everything it says: status, news, systemd's lines, log."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingestd.control.client import ControlClient
from tests.rig.memory_device import MemoryDevice
from tests.rig.process import wait_until
from tests.rig.resources import Resources

GUARD_S = 30.0
"""What a case waits at most for something that the policy does sooner."""
_PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@dataclass(frozen=True)
class News:
    """The lifecycle moved, as local programs are told."""

    state: str
    reason: str
    epoch: int


class WatchedDevice:
    """A device of which everything is kept. One thread."""

    def __init__(
        self,
        directory: Path,
        config: dict[str, Any],
        times: Mapping[str, Any] | None,
        prefix: Sequence[str] = (),
    ) -> None:
        """Starts it and waits for its control socket; `prefix` goes before its command."""
        directory.mkdir()
        path = directory / "notify.sock"
        self._notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notified.bind(str(path))
        unset = [word for name in _PROXY_VARIABLES for word in ("-u", name, "-u", name.upper())]
        command = ["env", *unset, f"NOTIFY_SOCKET={path}", *prefix]
        self.device = MemoryDevice(directory, config, prefix=command, times=times)
        self.news: list[News] = []
        self.said: list[str] = []
        """What went to anybody but the log, word for word."""
        self._ended = False
        self._manager = threading.Thread(target=self._take_notifications, name="manager", daemon=True)
        self._manager.start()
        try:
            self._client = self._connected()
        except TimeoutError:
            self.kill()
            raise AssertionError(f"the device did not start:\n{self.device.log}") from None

    @property
    def pid(self) -> int:
        """The process: what stands before its command becomes it."""
        return self.device.process.pid

    def status(self) -> dict[str, Any]:
        """The status now."""
        try:
            status: dict[str, Any] = self._client.call("status")
        except ConnectionError:
            self.device.process.wait(GUARD_S)
            raise AssertionError(f"the device has ended; its log ends:\n{self.log_tail(60)}") from None
        self.said.append(str(status))
        return status

    def call(self, method: str, **params: Any) -> Any:
        """Asks for something over the control socket."""
        return self._client.call(method, **params)

    def drain(self) -> None:
        """Takes in what was told meanwhile, for as long as it is there."""
        if self._ended:
            return
        with contextlib.suppress(TimeoutError, OSError):
            while True:
                told = self._client.notification(0.001)
                self.said.append(str(told))
                if told["method"] == "state":
                    params = told["params"]
                    self.news.append(News(params["state"], params["reason"], params["epoch"]))

    def wait(self, condition: Callable[[], Any], what: str, timeout_s: float = GUARD_S) -> Any:
        """Waits until `condition()` holds, and returns it; AssertionError with the last of the log."""

        def drained() -> Any:
            self.drain()
            return condition()

        try:
            return wait_until(drained, timeout_s, what, every=0.02)
        except TimeoutError as error:
            raise AssertionError(f"{error}; the log ends:\n{self.log_tail()}") from None

    def wait_s(self, seconds: float) -> None:
        """Lets time pass."""
        until_s = time.monotonic() + seconds
        self.wait(lambda: time.monotonic() >= until_s, "time")

    def log_tail(self, lines: int = 25) -> str:
        """The last lines of the log."""
        return "\n".join(self.device.log.splitlines()[-lines:])

    @property
    def command_line(self) -> str:
        """Its arguments, as every user of the machine may read them."""
        return Path(f"/proc/{self.pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()

    def resources(self) -> Resources:
        """What it holds now."""
        return Resources.of(self.pid)

    def terminate(self, within_s: float) -> tuple[int | None, float]:
        """SIGTERM; its exit status, None where it did not end within that time (and was killed), and how long it took.

        Everything it said on its way out is taken in.
        """
        began_s = time.monotonic()
        self.device.process.terminate()
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: self.device.process.poll() is not None, within_s, "the end", every=0.005)
        took_s = time.monotonic() - began_s
        status = self.device.process.poll()
        self.drain()
        self.kill()
        return status, took_s

    def kill(self) -> None:
        """Ends it at once, and everything that belongs to it here; nothing where that was done."""
        if self._ended:
            return
        self._ended = True
        if hasattr(self, "_client"):
            self._client.close()
        with contextlib.suppress(OSError):
            self._notified.shutdown(socket.SHUT_RDWR)
        self._manager.join()
        self._notified.close()
        self.device.__exit__(None, None, None)

    def _take_notifications(self) -> None:
        """What goes to the service manager, which is always there to read it: a thread of its own."""
        with contextlib.suppress(OSError):
            while datagram := self._notified.recv(4096):
                self.said.append(datagram.decode("utf-8", "replace"))

    def _connected(self) -> ControlClient:
        client = wait_until(self._connect, GUARD_S, "the control socket")
        assert client is not None
        return client

    def _connect(self) -> ControlClient | None:
        if self.device.process.poll() is not None:
            raise AssertionError(f"the device ended with {self.device.process.returncode}:\n{self.device.log}")
        with contextlib.suppress(OSError):
            return ControlClient(self.device.socket)
        return None


_LEVELS = re.compile(r"^\S+ \S+ (DEBUG|INFO|WARNING|ERROR|CRITICAL) +(.*)$")


@dataclass(frozen=True)
class LogLine:
    """One line of the log as it goes to standard error."""

    level: str
    text: str


class Since:
    """What a device said from the moment this was made."""

    def __init__(self, watched: WatchedDevice, *, from_the_start: bool = False) -> None:
        """`from_the_start`: from the process's start, but for news of before anybody could listen."""
        watched.drain()
        self._watched = watched
        self._log_bytes = 0 if from_the_start else watched.device.log_path.stat().st_size
        self._news = 0 if from_the_start else len(watched.news)
        self._said = 0 if from_the_start else len(watched.said)

    @property
    def log(self) -> str:
        """The log since."""
        with self._watched.device.log_path.open("rb") as file:
            file.seek(self._log_bytes, os.SEEK_SET)
            return file.read().decode()

    @property
    def lines(self) -> list[LogLine]:
        """The log since, line by line; what is not a line of its own (a traceback) has the level ""."""
        found = []
        for line in self.log.splitlines():
            match = _LEVELS.match(line)
            found.append(LogLine(match[1], match[2]) if match else LogLine("", line))
        return found

    @property
    def warned(self) -> list[str]:
        """What somebody who reads the journal without debug lines takes for trouble."""
        return [line.text for line in self.lines if line.level in ("WARNING", "ERROR", "CRITICAL")]

    @property
    def news(self) -> list[News]:
        """The lifecycle since."""
        self._watched.drain()
        return self._watched.news[self._news :]

    @property
    def said(self) -> str:
        """Everything that left the process but for the wire."""
        self._watched.drain()
        return "\n".join([self.log, *self._watched.said[self._said :]])
