"""A freshly installed Debian in a folder, to find out what the project's own files do not install.

Commands run in it as root with this machine's network and capabilities, but with mounts and process ids of their own:
when the first process ends, the kernel ends all others and drops every mount, however the test ended.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from tests.rig import registries
from tests.rig.process import end, spawn

STORE = Path("/var/tmp/ingestd-roots")
"""Where fresh roots are kept (one archive a suite), and where those in use stand."""
_KEEP_S = 7 * 24 * 3600
_TOOLS = ("mmdebstrap", "unshare", "pivot_root", "tar")

_ENTER = """
root=$1 git=$2; shift 2
mount --bind "$root" "$root"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mkdir -p "$root/mnt/git"
mount --bind -o ro "$git" "$root/mnt/git"
# No chroot: in one "ip netns exec" can't change its mounts, and the kernel gives no user namespace to a sandbox.
mkdir -p "$root/mnt/old"
cd "$root"
pivot_root . mnt/old
cd /
umount -l /mnt/old
rmdir /mnt/old
exec "$@"
"""


def why_not() -> str | None:
    """Why no clean root can be had here; None where it can."""
    if os.geteuid() != 0:
        return "needs root"
    absent = [tool for tool in _TOOLS if not shutil.which(tool)]
    return f"needs {', '.join(absent)}" if absent else None


class CleanRoot:
    """A minimal Debian of one suite with git and sudo added and nothing else; gone when left."""

    def __init__(self, suite: str, repository: Path) -> None:
        """`repository` is the clone whose commits can be cloned inside."""
        self.suite = suite
        self.path = STORE / f"in-use-{os.getpid()}-{suite}"
        self._repository = repository
        self._pip = registries.pip_settings()

    def __enter__(self) -> Self:
        STORE.mkdir(parents=True, exist_ok=True)
        remove_stale()
        archive = fresh_archive(self.suite)
        _remove(self.path)
        self.path.mkdir()
        subprocess.run(["tar", "-xf", archive, "-C", self.path, "--numeric-owner"], check=True)
        self._join_network()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _remove(self.path)

    def _join_network(self) -> None:
        etc = self.path / "etc"
        for name in ("resolv.conf", "hosts"):
            (etc / name).unlink(missing_ok=True)
            (etc / name).write_bytes((Path("/etc") / name).read_bytes())
        (etc / "apt/apt.conf.d/99as-the-host").write_text(registries.apt_settings())
        if self._pip.certificates is not None:
            inside = self.path / registries.CERTIFICATES.lstrip("/")
            inside.write_bytes(self._pip.certificates.read_bytes())

    def clone(self, folder: str) -> None:
        """Clones what is committed here into a new folder there."""
        commit = self._git("rev-parse", "HEAD")
        clone = f"git clone -q --no-checkout /mnt/git {folder} && cd {folder} && git checkout -q {commit}"
        done = self.run(["sh", "-c", f"git config --global safe.directory '*' && {clone}"], timeout=120)
        if done.returncode:
            raise RuntimeError(done.stdout)

    def _git(self, *words: str) -> str:
        command = ["git", "-c", "safe.directory=*", "-C", str(self._repository), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def run(
        self, command: Sequence[str], timeout: float, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command inside, and gives its status and all that it said; TimeoutExpired holds that too."""
        log = self.path.with_suffix(".log")
        with log.open("w+b") as said:
            process = self._start(command, env or {}, said)
            try:
                status = process.wait(timeout)
            except subprocess.TimeoutExpired as error:
                raise subprocess.TimeoutExpired(shlex.join(command), timeout, log.read_bytes()) from error
            finally:
                end(process)
                text = log.read_text(errors="replace")
                log.unlink()
        return subprocess.CompletedProcess(list(command), status, text, "")

    def _start(
        self, command: Sequence[str], env: Mapping[str, str], said: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        git = Path(self._repository, self._git("rev-parse", "--git-common-dir"))
        known = {"HOME": "/root", "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        known |= {"LANG": "C.UTF-8"} | registries.proxies() | self._pip.environment | dict(env)
        inside = ["env", "-i", *(f"{name}={value}" for name, value in known.items()), *command]
        own = ["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child=KILL"]
        return spawn([*own, "sh", "-euc", _ENTER, "enter", self.path, git, *inside], stdout=said, stderr=said)


def fresh_archive(suite: str) -> Path:
    """The archive of a suite's minimal root, made anew when it is older than a week."""
    archive = STORE / f"{suite}.tar"
    if archive.exists() and time.time() - archive.stat().st_mtime < _KEEP_S:
        return archive
    made = archive.with_suffix(f".{os.getpid()}.tar")
    command = ["mmdebstrap", "--variant=minbase", "--include=git,sudo", suite, str(made), registries.debian_mirror()]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        made.unlink(missing_ok=True)
        raise RuntimeError(f"mmdebstrap could not make {suite}:\n{done.stderr}")
    made.rename(archive)
    return archive


def remove_stale() -> None:
    """Removes the roots that killed runs left."""
    for path in STORE.glob("in-use-*"):
        if not Path("/proc", path.name.split("-")[2]).exists():
            _remove(path)


def _remove(path: Path) -> None:
    subprocess.run(["rm", "-rf", "--one-file-system", path], check=True)
