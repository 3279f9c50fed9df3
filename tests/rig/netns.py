"""A device on a network of its own: a namespace joined to this one by a cable that can be pulled.

A cable pulled at the far end is a true black hole: packets vanish, nothing is refused and no socket is told.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from tests.rig.process import Stream, spawn, wait_until

End = Literal["device", "far"]
"""An end of the cable: in the namespace, or here."""

_PREFIX = "ingrig-"


def why_not() -> str | None:
    """Why no namespace can be made here; None where one can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "network namespaces need root on Linux"
    if not shutil.which("ip"):
        return "network namespaces need iproute2"
    name = f"{_PREFIX}{os.getpid()}-try"
    try:
        _ip("netns", "add", name)
        _ip("netns", "exec", name, "true")
    except RuntimeError as error:
        return f"no network namespaces here: {error}"
    finally:
        _ip("netns", "delete", name, check=False)
    return None


class Namespace:
    """A network namespace with one cable to this one; gone, with all that runs in it, when left."""

    def __init__(self) -> None:
        """Draws a number for it; nothing is made before it is entered."""
        self._number = 0
        self._draw()

    def _draw(self) -> None:
        self._number = random.randrange(1 << 14)

    @property
    def name(self) -> str:
        """Its name for `ip netns`."""
        return f"{_PREFIX}{os.getpid()}-{self._number}"

    @property
    def far_end(self) -> str:
        """The name of the cable's end here; inside it is eth0."""
        return _far_end(self.name)

    @property
    def far_address(self) -> str:
        """This machine's address on the cable."""
        return self._host(1)

    @property
    def address(self) -> str:
        """The namespace's address on the cable."""
        return self._host(2)

    def _host(self, number: int) -> str:
        # A /30 network of 10.231.0.0/16 for each number.
        return f"10.231.{self._number // 64}.{self._number % 64 * 4 + number}"

    def __enter__(self) -> Self:
        remove_stale()
        while _ip("link", "show", self.far_end, check=False).returncode == 0:
            self._draw()
        try:
            self._make()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _make(self) -> None:
        _ip("netns", "add", self.name)
        _ip("link", "add", self.far_end, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        _ip("address", "add", f"{self.far_address}/30", "dev", self.far_end)
        self._inside("address", "add", f"{self.address}/30", "dev", "eth0")
        self._inside("link", "set", "lo", "up")
        self.link_up("device")
        self.link_up("far")

    def close(self) -> None:
        """Ends what still runs in it and removes it."""
        _delete(self.name)

    def link_down(self, end: End = "far") -> None:
        """Pulls the cable. At the `device` end its kernel knows at once that there is no route."""
        self._link(end, "down")

    def link_up(self, end: End = "far") -> None:
        """Puts the cable in again, and waits for the carrier where both ends are up."""
        self._link(end, "up")
        near, far = self._inside("-json", "link", "show", "eth0"), _ip("-json", "link", "show", self.far_end)
        if "UP" in _flags(near) and "UP" in _flags(far):
            wait_until(self._has_carrier, 5, "the cable's carrier")

    def _link(self, end: End, state: str) -> None:
        if end == "device":
            self._inside("link", "set", "eth0", state)
        else:
            _ip("link", "set", self.far_end, state)

    def _has_carrier(self) -> bool:
        return "LOWER_UP" in _flags(_ip("-json", "link", "show", self.far_end))

    def command(self, command: Sequence[str | Path]) -> list[str]:
        """The command that runs it inside."""
        return ["ip", "netns", "exec", self.name, *map(str, command)]

    def spawn(
        self,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        stdin: Stream = subprocess.DEVNULL,
        stdout: Stream = subprocess.DEVNULL,
        stderr: Stream = subprocess.DEVNULL,
        cwd: Path | None = None,
    ) -> subprocess.Popen[bytes]:
        """Starts a process inside; see `process.spawn`."""
        return spawn(self.command(command), env=env, stdin=stdin, stdout=stdout, stderr=stderr, cwd=cwd)

    def run(self, command: Sequence[str | Path], timeout: float = 30) -> subprocess.CompletedProcess[str]:
        """Runs a command inside to its end."""
        return subprocess.run(self.command(command), capture_output=True, text=True, timeout=timeout)

    def _inside(self, *words: str) -> subprocess.CompletedProcess[str]:
        return _ip("-netns", self.name, *words)


def remove_stale() -> None:
    """Removes the namespaces that killed runs left."""
    for line in _ip("netns", "list", check=False).stdout.splitlines():
        name = line.split()[0]
        if name.startswith(_PREFIX) and not Path("/proc", name.split("-")[1]).exists():
            _delete(name)


def _delete(name: str) -> None:
    for pid in _ip("netns", "pids", name, check=False).stdout.split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    _ip("link", "delete", _far_end(name), check=False)  # at once; with the namespace it would go a moment later
    _ip("netns", "delete", name, check=False)


def _far_end(name: str) -> str:
    return "ingrig" + name.split("-")[2]


def _flags(shown: subprocess.CompletedProcess[str]) -> list[str]:
    flags: list[str] = json.loads(shown.stdout)[0]["flags"]
    return flags


def _ip(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=30)
    if check and done.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done
