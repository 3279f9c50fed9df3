"""A Debian 13 that systemd has booted, in a container of its own: units, journal and sandboxes are the real ones.

It has no network but its own loopback, or the one it is given. Commands run in it as root, with none of the
restrictions that its units have.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.rig.booted_root import archive, checked
from tests.rig.cgroups import OwnGroup
from tests.rig.cleanroot import STORE, remove_stale
from tests.rig.netns import Namespace
from tests.rig.process import end, spawn, wait_until

PYTHON_LIBRARIES = (
    "python3",
    "python3-websocket",
    "python3-alsaaudio",
    "python3-yaml",
    "python3-systemd",
    "ca-certificates",
)
"""What ingestd needs of Debian 13."""
BEFORE_APT = ("python3", "ca-certificates", "libavcodec61", "libpulse0", "libjack-jackd2-0")
"""Of that what devices have anyway, and what takes a minute to unpack: for a machine that apt installs ingestd in."""
BY_APT = (*PYTHON_LIBRARIES[1:], "libasound2-plugins")
"""The rest: what the package needs and recommends, for `downloaded`."""

_TOOLS = ("mmdebstrap", "systemd-nspawn", "nsenter", "unshare", "tar")
_BOOT_S = 180.0
_END_S = 15.0
_NUMBERS: Final = itertools.count(1)  # two machines of one test at once


def why_not() -> str | None:
    """Why no such machine can be had here; None where it can."""
    if os.geteuid() != 0:
        return "needs root"
    if absent := [tool for tool in _TOOLS if not shutil.which(tool)]:
        return f"needs {', '.join(absent)}"
    if subprocess.run(["unshare", "--user", "true"], stderr=subprocess.DEVNULL).returncode:
        return "needs user namespaces, which the kernel refuses in a chroot and where user.max_user_namespaces is 0"
    return None


class Booted:
    """One machine: prepare its files below `path`, then `boot`. Use as a context manager; gone when left."""

    def __init__(
        self,
        packages: Sequence[str] = PYTHON_LIBRARIES,
        *,
        downloaded: Sequence[str] = (),
        network: Namespace | None = None,
    ) -> None:
        """`packages` are installed beside systemd; `downloaded` can be, by apt (`booted_root.archive`).

        `network`: the machine is there, with its cable, in place of being alone; it has to be left after the machine.
        """
        self.path = STORE / f"in-use-{os.getpid()}-booted-{next(_NUMBERS)}"
        """The machine's root folder."""
        self._packages, self._downloaded = packages, downloaded
        self._network = ["--private-network"]
        if network is not None:
            self._network = [f"--network-namespace-path=/run/netns/{network.name}", "--resolv-conf=off"]
        self._binds: list[str] = []
        # nspawn's own are of one name: two machines at once would be in each other's services.
        self._group = OwnGroup(self.path.name)
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._leader = 0

    def __enter__(self) -> Self:
        STORE.mkdir(parents=True, exist_ok=True)
        remove_stale()
        self.path.mkdir()
        subprocess.run(
            ["tar", "-xf", archive(self._packages, self._downloaded), "-C", self.path, "--numeric-owner"], check=True
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._nspawn is not None:
            self.power_off()  # to halt takes seconds, for a root that is removed
        subprocess.run(["rm", "-rf", "--one-file-system", self.path], check=True)

    def bind(self, outside: Path, inside: str) -> None:
        """Shows a folder, a file or a socket of this machine in that one, read-only. Before `boot`."""
        self._binds.append(f"--bind-ro={outside}:{inside}")

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Writes a file, with the folders above it."""
        file = self.path / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def chroot(self, *command: str) -> None:
        """Runs a command in the root before it is booted, as an installation would."""
        checked(["chroot", str(self.path), *command])

    def boot(self) -> None:
        """Returns once every unit has been started, or has failed. After `power_off` it boots again."""
        command = ["systemd-nspawn", "-q", "-D", self.path, "--boot", *self._network, "--register=no"]
        # With bpf, as systemd holds units to their DeviceAllow by it.
        command += ["--keep-unit", "--console=pipe", "--capability=CAP_BPF", "--system-call-filter=bpf", *self._binds]
        env = {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}
        self._nspawn = nspawn = spawn(self._group.entering(*map(str, command)), env=env)
        children = Path(f"/proc/{nspawn.pid}/task/{nspawn.pid}/children")

        def booted() -> bool:
            if nspawn.poll() is not None:
                raise RuntimeError(f"systemd-nspawn ended with {nspawn.returncode}")
            leaders = [pid for pid in children.read_text().split() if _is_init(pid)]
            self._leader = int(leaders[0]) if leaders else 0
            if not leaders:
                return False
            return self.run("systemctl", "is-system-running").stdout.strip() in ("running", "degraded")

        wait_until(booted, _BOOT_S, "Debian to boot", every=0.1)

    def power_off(self) -> None:
        """Pulls the plug: nothing in it is told. What was not yet on the disk is there all the same."""
        assert self._nspawn is not None
        if self._leader:
            os.kill(self._leader, signal.SIGKILL)  # the first process, and with it all others
        end(self._nspawn, _END_S)
        self._nspawn, self._leader = None, 0
        self._group.remove()

    def command(self, *command: str) -> list[str]:
        """The command that runs it in the booted machine, as root; the terminal stays the caller's."""
        enter = ["nsenter", "--target", str(self._leader), "--all", "--", "env", "-i", "TERM=xterm-256color"]
        known = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=/root"]
        return [*enter, *known, *command]

    def run(
        self, *command: str, stdin: str | None = None, timeout_s: float = 120.0
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command in the booted machine, as root; its status, and what it said."""
        return subprocess.run(self.command(*command), input=stdin, capture_output=True, text=True, timeout=timeout_s)

    def systemctl(self, *words: str) -> str:
        """`systemctl` with these words; what it printed. Raises RuntimeError where it fails, with the journal."""
        done = self.run("systemctl", *words)
        if done.returncode:
            journal = self.run("journalctl", "--no-pager", "-n", "50").stdout
            raise RuntimeError(f"systemctl {' '.join(words)}: {done.stdout}{done.stderr}\n{journal}")
        return done.stdout

    def show(self, unit: str, *properties: str) -> dict[str, str]:
        """What systemd says of a unit: the named properties."""
        lines = self.systemctl("show", f"--property={','.join(properties)}", unit).splitlines()
        return dict(line.split("=", 1) for line in lines)

    def journal(self, unit: str) -> list[dict[str, Any]]:
        """The entries of a unit and of systemd about it, oldest first, with all fields."""
        self.run("journalctl", "--sync")  # what systemd has just told may still be in the socket
        out = self.run("journalctl", "-u", unit, "-o", "json", "--no-pager").stdout
        return [json.loads(line) for line in out.splitlines()]


def _is_init(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() in ("systemd", "init")
    except OSError:
        return False
