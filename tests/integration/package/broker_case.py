"""A booted Debian 13 with both packages within apt's reach, and what the tests of the broker's ask of it."""

from __future__ import annotations

import json

from tests.integration.package.upgrade_case import OLD_VERSION, Packages, older_files
from tests.rig import deb
from tests.rig.left_behind import Look, look
from tests.rig.process import wait_until

NAME = "ingestd-broker"
FOLDER, STATE = f"/etc/{NAME}", f"/var/lib/{NAME}"
URL = "http://127.0.0.1:8080"


class Server:
    """The machine, with the broker's packages within apt's reach."""

    def __init__(self, packages: Packages) -> None:
        self.packages, self.machine, self.site = packages, packages.machine, packages.site
        self.new = self.site.copy(deb.built(name=NAME))
        self.old = self.site.copy(deb.built(OLD_VERSION, older_files(), name=NAME))
        self.done = packages.done

    def state(self) -> dict[str, str]:
        """What systemd says of the service."""
        return self.machine.show(NAME, "ActiveState", "Result", "NRestarts")

    def main_pid(self) -> int:
        """The process that systemd started."""
        return int(self.machine.show(NAME, "MainPID")["MainPID"])

    def workers(self) -> set[int]:
        """Those that it started, which answer requests."""
        pids = self.machine.run("pgrep", "-P", str(self.main_pid())).stdout.split()
        return {int(pid) for pid in pids}

    def answers(self) -> bool:
        """Whether it is healthy, asked from within the machine."""
        script = f"import urllib.request; print(urllib.request.urlopen('{URL}/healthz', timeout=20).status)"
        return self.machine.run("python3", "-c", script).stdout == "200\n"

    def wait_answers(self) -> None:
        """Until then."""
        wait_until(self.answers, 30, "the broker to answer", every=0.1)

    def mode(self, path: str) -> str:
        """Access, owner and group of a file."""
        return self.done("stat", "--format=%a %U:%G", path).strip()

    def kept(self) -> Look:
        """What is the administrator's and the broker's alone, but for SQLite's files beside the database."""
        found = look(self.machine.path)
        return {
            path: told
            for path, told in found.items()
            if path.startswith((FOLDER, STATE)) and not path.endswith(("-wal", "-shm"))
        }

    def devices(self) -> list[str]:
        """The names of those that it knows."""
        return [json.loads(line)["name"] for line in self.done(NAME, "device", "list", "--json").splitlines()]
