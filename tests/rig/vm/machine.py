"""A running virtual machine: started, told what to do by its agent, and its clock read off beside this one's."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from tests.rig import deb
from tests.rig.process import end, spawn, wait_until
from tests.rig.vm.image import Image, image, make_disk

HOST = "10.0.2.2"
"""This machine's loopback, as the guest reaches it (qemu's user network)."""

AHEAD = ("setsid", "nice", "-n", "-15")
"""Before the command of a program that goes ahead of what else this machine does; see `put_ahead`.

A virtual processor that waits for a real one is a stall of the guest.
"""

_GUEST = Path(__file__).parent / "guest"
_PROGRAMS = ("count", "record")
_BOOT_S = 240.0
_HALT_S = 120.0
_ARGUMENTS = "root=/dev/vda rw console=ttyS0 quiet clocksource=hpet"
"""With the HPET the guest counts this machine's time; it would calibrate a TSC of its own, wrong by 100s of ppm."""


def put_ahead(process: int) -> None:
    """Does the rest for a running program that was started by `AHEAD`: with autogroups the session is weighed first."""
    group = Path(f"/proc/{process}/autogroup")  # sched(7)
    if group.exists():
        group.write_text("-15")


def _checked(*command: str | Path) -> None:
    subprocess.run(command, check=True)


class GuestError(RuntimeError):
    """What was asked of the guest went wrong there."""


@dataclass(frozen=True)
class Done:
    """When something was done, by the guest's CLOCK_MONOTONIC (seconds), and what came of it."""

    began_s: float
    ended_s: float
    answer: dict[str, Any]


class VirtualMachine:
    """A Debian 13 with kernel ALSA (snd-aloop), and in /srv the package (ingestd.deb), the C programs and `files`.

    `folder` needs a short path, as a socket stands in it; console.log in it is what the guest's console showed.
    From one thread, which has to outlive it. What is written to its disk is there after `restart` too.
    """

    def __init__(self, folder: Path, files: Mapping[str, bytes] | None = None) -> None:
        """Nothing runs before it is entered."""
        self._files = files or {}
        self.powered_s = 0.0
        """When it was switched on last, by this machine's CLOCK_MONOTONIC (seconds)."""
        self._folder = folder
        self._exchanges: list[tuple[float, float, float, float]] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._image: Image
        self._port: socket.socket
        self._waiting: bytes

    def __enter__(self) -> Self:
        self._make_srv()
        self._image = image()
        _checked("cp", "--sparse=always", self._image.disk, self._folder / "disk.img")
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Pulls its plug."""
        if self._process is not None:
            self._port.close()
            end(self._process)
        self._process = None

    def restart(self) -> None:
        """Shuts it down, as a person would, and switches it on again: it boots with cold caches of its own."""
        self.start("systemctl poweroff")
        assert self._process is not None
        self._process.wait(_HALT_S)
        self.close()
        (self._folder / "agent").unlink(missing_ok=True)
        self._start()

    @property
    def pid(self) -> int:
        """qemu's process here."""
        assert self._process is not None, "it is not running"
        return self._process.pid

    @property
    def console(self) -> str:
        """What its console showed so far."""
        path = self._folder / "console.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _make_srv(self) -> None:
        srv = self._folder / "srv"
        srv.mkdir()
        shutil.copy(deb.built(), srv / "ingestd.deb")
        shutil.copy(_GUEST / "agent.py", srv)
        for name in _PROGRAMS:
            sources = [str(_GUEST / f"{part}.c") for part in (name, "sound")]
            _checked("gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", srv / name, *sources, "-lasound")
        for name, content in self._files.items():
            (srv / name).write_bytes(content)
        make_disk(self._folder / "srv.img", srv, 32 << 20)

    def _start(self) -> None:
        self._exchanges, self._waiting = [], b""
        self._port = socket.socket(socket.AF_UNIX)
        path = self._folder / "agent"
        command: list[str | Path] = [*AHEAD, "qemu-system-x86_64", "-accel", "tcg,thread=multi"]
        command += ["-smp", "2", "-m", "768"]
        command += ["-nodefaults", "-nographic", "-no-reboot", "-serial", f"file:{self._folder / 'console.log'}"]
        command += ["-kernel", self._image.kernel, "-initrd", self._image.initrd, "-append", _ARGUMENTS]
        command += ["-drive", f"file={self._folder / 'disk.img'},if=virtio,format=raw"]
        command += ["-drive", f"file={self._folder / 'srv.img'},if=virtio,format=raw,readonly=on"]
        command += ["-nic", "user,model=virtio-net-pci", "-device", "virtio-rng-pci", "-device", "virtio-serial"]
        command += ["-chardev", f"socket,id=agent,path={path},server=on,wait=off"]
        command += ["-device", "virtserialport,chardev=agent,name=agent"]
        with (self._folder / "qemu.log").open("wb") as log:
            self.powered_s = time.monotonic()
            self._process = spawn(command, stdout=log, stderr=log)
        try:
            wait_until(path.exists, timeout=10, what="qemu's socket")
            put_ahead(self._process.pid)
            self._port.connect(str(path))
            self._next_line(_BOOT_S)
        except (OSError, TimeoutError, GuestError) as error:
            log_text = (self._folder / "qemu.log").read_text(errors="replace")
            raise GuestError(f"the guest did not come up ({error}):\n{log_text}{self.console[-5000:]}") from error

    # --- what the guest does

    def do(self, what: str, *, patience_s: float = 30.0, **fields: Any) -> Done:
        """Lets the agent do something (`guest/agent.py`). Raises GuestError where it could not."""
        asked_s = time.monotonic()
        self._port.sendall(json.dumps({"do": what, **fields}).encode() + b"\n")
        answer = json.loads(self._next_line(patience_s))
        answered_s = time.monotonic()
        began_s, ended_s = answer.pop("began_s"), answer.pop("ended_s")
        self._exchanges.append((asked_s, began_s, ended_s, answered_s))
        if "error" in answer:
            raise GuestError(f"{what} {fields}: {answer['error']}")
        return Done(began_s, ended_s, answer)

    def run(self, command: str, *, timeout_s: float = 60.0) -> str:
        """Runs a shell command there: what it said. Raises GuestError where it failed."""
        answer = self.do("run", command=command, timeout_s=timeout_s, patience_s=timeout_s + 10).answer
        if answer["status"]:
            raise GuestError(f"{command}: status {answer['status']}\n{answer['out']}")
        return str(answer["out"])

    def start(self, command: str) -> int:
        """Starts a shell command there and lets it run. Returns the process."""
        return int(self.do("start", command=command).answer["pid"])

    def write(self, path: str, text: str) -> Done:
        """Writes a file there."""
        return self.do("write", path=path, text=text)

    def fetch(self, path: str) -> bytes:
        """A file from there."""
        return zlib.decompress(base64.b64decode(self.do("fetch", path=path, patience_s=120).answer["data"]))

    def status(self) -> dict[str, Any]:
        """What `ingestctl --json status` shows there."""
        answer = self.do("ask", path="/run/ingestd/control.sock", method="status").answer
        result: dict[str, Any] = answer["result"]
        return result

    def _next_line(self, timeout_s: float) -> bytes:
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self._waiting:
            self._port.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                part = self._port.recv(1 << 20)
            except TimeoutError as error:
                raise GuestError(f"the guest does not answer; its console:\n{self.console[-5000:]}") from error
            if not part:
                raise GuestError("qemu has ended")
            self._waiting += part
        line, _, self._waiting = self._waiting.partition(b"\n")
        return line

    # --- its clock

    def clock(self) -> tuple[float, float]:
        """(rate, offset): guest seconds = rate × this machine's CLOCK_MONOTONIC + offset; see NTP (RFC 5905).

        By the quickest tenth of all exchanges with the agent, so needs some over a longer time.
        """
        asked, began, ended, answered = np.array(self._exchanges).T
        trip = (answered - asked) - (ended - began)
        quick = trip <= np.quantile(trip, 0.1)
        here, there = (asked + answered)[quick] / 2, (began + ended)[quick] / 2
        rate, offset = np.polyfit(here - here[0], there, 1)
        return float(rate), float(offset - rate * here[0])
