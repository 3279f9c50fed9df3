"""A real systemd-journald with a journal and a catalog of its own, in a mount namespace. Needs root."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.rig.process import end, spawn, wait_until

_REPO: Final = Path(__file__).resolve().parents[2]
JOURNALD: Final = Path("/lib/systemd/systemd-journald")
GUARD_S: Final = 30.0
_SCRIPT: Final = """
set -e
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/log
mount -t tmpfs tmpfs /var/lib/systemd
mkdir -p /run/systemd/journald.conf.d /var/lib/systemd/catalog
if ! [ -s /etc/machine-id ]; then
    echo 0123456789abcdef0123456789abcdef >/run/machine-id
    mount --bind /run/machine-id /etc/machine-id
fi
# Not the kernel's log, and the kernel's auditing as it is.
printf '[Journal]\\nReadKMsg=no\\nAudit=\\nRateLimitBurst=0\\n' >/run/systemd/journald.conf.d/rig.conf
exec /lib/systemd/systemd-journald
"""


def available() -> bool:
    """Whether this machine has all that is needed, but for root."""
    return JOURNALD.exists() and all(map(shutil.which, ("journalctl", "unshare", "nsenter")))


class RealJournal:
    """journald, started and asked by a test."""

    def __init__(self) -> None:
        self._process = spawn(["unshare", "--mount", "--propagation", "private", "sh", "-c", _SCRIPT])
        self.within = ("nsenter", f"--target={self._process.pid}", "--mount", f"--wd={_REPO}", "--")
        """Goes before a command that is to see this journal."""
        try:
            wait_until(self._is_up, GUARD_S, "journald's socket")
        except BaseException:
            self._end()
            raise

    def _is_up(self) -> bool:
        # Before the mounts are there it would be this machine's own.
        looks = "test -e /run/systemd/journald.conf.d/rig.conf && test -S /run/systemd/journal/socket"
        command = [*self.within, "sh", "-c", looks]
        return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0

    def run(self, *command: str) -> str:
        """What a command in there prints."""
        return subprocess.run([*self.within, *command], capture_output=True, text=True, check=True, timeout=30).stdout

    def entries(self, *matches: str) -> list[dict[str, Any]]:
        """Oldest first, by all their fields. `matches` as journalctl takes them."""
        shown = self.run("journalctl", "--output=json", "--all", "--no-pager", *matches)
        return [json.loads(line) for line in shown.splitlines()]

    def explained(self, *matches: str) -> str:
        """What `journalctl -x` says."""
        return self.run("journalctl", "--catalog", "--no-pager", "--quiet", *matches)

    def learn(self, catalog: Path) -> None:
        """Installs a catalog, as a package does."""
        with tempfile.TemporaryDirectory() as root:
            folder = Path(root) / "usr/lib/systemd/catalog"
            folder.mkdir(parents=True)
            (Path(root) / "var/lib/systemd/catalog").mkdir(parents=True)
            shutil.copy(catalog, folder)
            self.run("journalctl", f"--root={root}", "--update-catalog")
            self.run("cp", f"{root}/var/lib/systemd/catalog/database", "/var/lib/systemd/catalog/database")

    def freeze(self) -> None:
        """It hangs: its sockets are there, and nobody reads them."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        os.kill(self._process.pid, signal.SIGCONT)

    def _end(self) -> None:
        self.thaw()
        end(self._process)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
