"""A control group of its own for a process, so that what counts and ends processes by groups sees no neighbour's."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

_MADE: Final = "made-by-the-rig-"


class OwnGroup:
    """A group below this process's own, in each of the hierarchies that systemd may look at."""

    def __init__(self, name: str) -> None:
        """Nothing is made before a process enters."""
        own, mounts = _own_groups(), _mounts()
        self._folders = [mount / own[kind].lstrip("/") / f"{_MADE}{name}" for kind, mount in mounts.items()]

    def entering(self, *command: str) -> list[str]:
        """The command that makes the group, enters it and becomes that command: of one process id."""
        enter = "; ".join(f"mkdir -p '{folder}'; echo $$ >'{folder}/cgroup.procs'" for folder in self._folders)
        return ["sh", "-euc", f'{enter}; exec "$0" "$@"', *command]

    def remove(self) -> None:
        """Removes what was made in it, once no process is left there; where one is, it stays."""
        for top in self._folders:
            inner = sorted((folder for folder in top.rglob("*") if folder.is_dir()), reverse=True)
            for folder in (*inner, top):
                with contextlib.suppress(OSError):
                    folder.rmdir()


def _mounts() -> dict[str, Path]:
    """Where those hierarchies are, by their names in /proc/PID/cgroup."""
    found = {}
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, folder, kind, options = line.split()[:4]
        if kind == "cgroup2":
            found[""] = Path(folder)
        elif kind == "cgroup" and "name=systemd" in options.split(","):
            found["name=systemd"] = Path(folder)
    return found


def _own_groups() -> dict[str, str]:
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    return {kind: path for _, kind, path in (line.split(":", 2) for line in lines)}
