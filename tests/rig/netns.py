"""A device on a network of its own: a namespace joined to this one by a cable that can be pulled.

A cable pulled at the far end is a true black hole: packets vanish, nothing is refused and no socket is told.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

from tests.rig.process import Stream, spawn, wait_until

End = Literal["device", "far"]
"""An end of the cable: in the namespace, or here."""
Cable = Literal["eth0", "wwan0"]
"""A cable by the name that its end has inside."""

_CABLES: Final[tuple[Cable, ...]] = ("eth0", "wwan0")
_CLONE_NEWNET: Final = 0x40000000
_PREFIX = "ingrig-"
_NUMBERS = 1 << 14


def why_not() -> str | None:
    """Why no namespace can be made here; None where one can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "network namespaces need root on Linux"
    if not shutil.which("ip"):
        return "network namespaces need iproute2"
    name = f"{_PREFIX}{os.getpid()}-{_NUMBERS}"  # which none has
    try:
        ip("netns", "add", name)
        ip("netns", "exec", name, "true")
    except RuntimeError as error:
        return f"no network namespaces here: {error}"
    finally:
        ip("netns", "delete", name, check=False)
    return None


class Namespace:
    """A network namespace with one cable to this one; gone, with all that runs in it, when left."""

    cables: tuple[Cable, ...] = ("eth0",)

    def __init__(self) -> None:
        """Nothing is made before it is entered."""
        self.number = drawn()
        """Another one once it is entered, where this one is taken."""

    @property
    def name(self) -> str:
        """Its name for `ip netns`."""
        return f"{_PREFIX}{os.getpid()}-{self.number}"

    @property
    def far_end(self) -> str:
        """The name of the cable's end here; inside it is eth0."""
        return far_end(self.name, "eth0")

    @property
    def far_address(self) -> str:
        """This machine's address on the cable."""
        return self._host("eth0", 1)

    @property
    def address(self) -> str:
        """The namespace's address on the cable."""
        return self._host("eth0", 2)

    def _host(self, cable: Cable, number: int) -> str:
        # A /30 network of 10.231.0.0/16 for each number, and one of 10.232.0.0/16 for its second cable.
        return f"10.{231 + _CABLES.index(cable)}.{self.number // 64}.{self.number % 64 * 4 + number}"

    def __enter__(self) -> Self:
        remove_stale()
        while not self._is_ours_alone():
            self.number = drawn()
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

    def _is_ours_alone(self) -> bool:
        # The name has a process in it, cables and addresses have the number alone: no other process may have that.
        if self.number in _numbers() or ip("link", "show", self.far_end, check=False).returncode == 0:
            return False
        ip("netns", "add", self.name)
        if _numbers().count(self.number) == 1:
            return True
        ip("netns", "delete", self.name)
        return False

    def _make(self) -> None:
        self.ip("link", "set", "lo", "up")
        for cable in self.cables:
            self._lay(cable)

    def _lay(self, cable: Cable) -> None:
        here = far_end(self.name, cable)
        ip("link", "add", here, "type", "veth", "peer", "name", cable, "netns", self.name)
        ip("address", "add", f"{self._host(cable, 1)}/30", "dev", here)
        self.ip("address", "add", f"{self._host(cable, 2)}/30", "dev", cable)
        self.link_up("device", cable)
        self.link_up("far", cable)

    def close(self) -> None:
        """Ends what still runs in it and removes it."""
        _delete(self.name, self.cables)

    def link_down(self, end: End = "far", cable: Cable = "eth0") -> None:
        """Pulls the cable. At the `device` end its kernel knows at once that there is no route."""
        self._link(end, cable, "down")

    def link_up(self, end: End = "far", cable: Cable = "eth0") -> None:
        """Puts the cable in again, and waits for the carrier where both ends are up."""
        self._link(end, cable, "up")
        here = far_end(self.name, cable)
        if "UP" in _flags(self.ip("-json", "link", "show", cable)) and "UP" in _flags_here(here):
            wait_until(lambda: "LOWER_UP" in _flags_here(here), 20, "the cable's carrier")

    def _link(self, end: End, cable: Cable, state: str) -> None:
        if end == "device":
            self.ip("link", "set", cable, state)
        else:
            ip("link", "set", far_end(self.name, cable), state)

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Sockets that this thread makes meanwhile are the namespace's, and stay so."""
        with open("/proc/thread-self/ns/net") as here, open(f"/run/netns/{self.name}") as inside:
            _enter(inside.fileno())
            try:
                yield
            finally:
                _enter(here.fileno())

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

    def ip(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs `ip` on the namespace; raises RuntimeError where it refuses."""
        return ip("-netns", self.name, *words)


class Apart(Namespace):
    """A namespace with loopback alone: no cable that others lay here is an event there, nor the other way round."""

    cables = ()


def remove_stale() -> None:
    """Removes the namespaces that killed runs left."""
    for name in _names():
        if not Path("/proc", name.split("-")[1]).exists():
            _delete(name, _CABLES)


def _names() -> list[str]:
    lines = ip("netns", "list", check=False).stdout.splitlines()
    return [name for line in lines if (name := line.split()[0]).startswith(_PREFIX)]


def _numbers() -> list[int]:
    """Of all that there are, of whichever process."""
    return [_number_of(name) for name in _names()]


def _number_of(name: str) -> int:
    return int(name.split("-")[2])


def _delete(name: str, cables: Sequence[Cable]) -> None:
    for pid in ip("netns", "pids", name, check=False).stdout.split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    for cable in cables:
        # At once; with the namespace it would go a moment later.
        ip("link", "delete", far_end(name, cable), check=False)
    for address in service_addresses(_number_of(name)) if cables else ():
        ip("address", "delete", address, "dev", "lo", check=False)
    ip("netns", "delete", name, check=False)


def service_addresses(number: int) -> tuple[str, str]:
    """IPv4 and IPv6 of a server that a namespace with more than one cable reaches over each (`two_cables`)."""
    return f"10.233.{number // 256}.{number % 256}", f"fd31:{number:x}:f::1"


def drawn() -> int:
    """A number for a namespace, which another may have."""
    return random.randrange(_NUMBERS)


def far_end(name: str, cable: Cable) -> str:
    """The name of the cable's end here."""
    return f"ingrig{_number_of(name)}" + ("" if cable == "eth0" else "b")


def _enter(namespace_fd: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)  # os.setns is of Python 3.12
    if libc.setns(namespace_fd, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns failed")


def _flags(shown: subprocess.CompletedProcess[str]) -> list[str]:
    flags: list[str] = json.loads(shown.stdout)[0]["flags"]
    return flags


def _flags_here(interface: str) -> list[str]:
    return _flags(ip("-json", "link", "show", interface))


def ip(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Runs `ip`; raises RuntimeError where it refuses and `check` is set."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=30)
    if check and done.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done
