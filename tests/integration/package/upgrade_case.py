"""What the tests of upgrade and removal share: a device with Debian's libraries, a room, this build and an older."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from tests.rig import deb
from tests.rig.booted import PYTHON_LIBRARIES
from tests.rig.booted_site import CONFIG, TOKEN, BootedSite, configuration
from tests.rig.left_behind import Look, dangling, differences, look

OLD_VERSION = "0.0.9"
NEW_KEY = "  #max_age_s: null\n"
"""In the reference; the older one does not have it."""
OLD_MODULE = "core/forgotten.py"
"""The older build has it too."""
OLD_LINE, NEW_LINE = "CPUWeight=321", "CPUWeight=500"
"""A line of ingestd's unit, in either build."""
UNITS = ("ingestd", "ingestd-hooks")
KEPT_BY_SYSTEMD = ("/var/lib/systemd/deb-systemd-helper-enabled", "/var/lib/systemd/timers")
POLICY = "/usr/sbin/policy-rc.d"
_STARTED = "39f53479d3a045ac8e11786248231fbf"  # systemd's message when a unit has started
_HOOKS = "hooks: [{state: connected, exec: [/bin/true]}]\n"
# Manual pages and documentation too, as a device has them; no disk that is waited for, and no backup at midnight.
_WHOLE = """
rm -f /etc/dpkg/dpkg.cfg.d/99mmdebstrap
echo force-unsafe-io >/etc/dpkg/dpkg.cfg.d/rig
ln -s /dev/null /etc/systemd/system/dpkg-db-backup.timer
"""


class Packages:
    """A site whose apt has an older build and this tree's within reach, not booted yet."""

    def __init__(self, site: BootedSite) -> None:
        self.site, self.machine = site, site.machine
        self.machine.chroot("sh", "-euc", _WHOLE)
        built = deb.built()
        self.new, self.newest = site.copy(built), built.name.split("_")[1]
        """This tree's package, as apt is told it; its version."""
        self.before: Look = {}
        """All files there were when it had booted."""

    @cached_property
    def old(self) -> str:
        """The older build."""
        return self.site.copy(deb.built(OLD_VERSION, older_files()))

    def of_the_package(self) -> dict[str, str | bool]:
        """What the two builds differ in, as the device has it."""
        modules = self.machine.path / "usr/lib/python3/dist-packages/ingestd"
        old = modules / OLD_MODULE
        return {
            "version": self.done("ingestctl", "--version").split()[1],
            "new key": NEW_KEY in self.site.get("/usr/share/ingestd/ingestd.yaml"),
            "old module": old.exists(),
            "compiled": any(old.parent.glob(f"__pycache__/{old.stem}.*")),
            "line": f"CPUWeight={self.machine.show('ingestd', 'CPUWeight')['CPUWeight']}",
        }

    def boot(self) -> None:
        """Boots the device."""
        self.machine.boot()
        self.before = look(self.machine.path)

    def install(self, *words: str) -> str:
        """apt-get install, with a package and options; what it said. RuntimeError where it fails.

        There is neither a terminal nor an answer, and none to be assumed: apt fails where it asks.
        """
        return self.apt("install", *words)

    def apt(self, *words: str) -> str:
        """apt-get with these words, the same way."""
        done = self.machine.run("apt-get", "--no-install-recommends", *words, stdin="", timeout_s=120)
        if done.returncode:
            raise RuntimeError(f"apt-get {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def installed(self) -> str:
        """What dpkg says is there, and how."""
        return self.machine.run("dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", "ingestd").stdout

    def fill_in(self, more: str = "") -> None:
        """As a user does it by hand: the room, a handler in conf.d, the token."""
        self.machine.write(CONFIG, f"# the door\n{json.dumps(configuration())}\n{more}")
        self.machine.write("/etc/ingestd/conf.d/hooks.yaml", _HOOKS, 0o640)
        self.machine.write("/etc/ingestd/token", TOKEN, 0o640)
        self.done("chgrp", "ingestd", "/etc/ingestd/token", "/etc/ingestd/conf.d/hooks.yaml")

    def done(self, *command: str) -> str:
        """Runs a command in the machine that has to succeed; what it said."""
        done: subprocess.CompletedProcess[str] = self.machine.run(*command)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout

    def theirs(self) -> Look:
        """What is the user's and the daemon's alone: the configuration, and the state."""
        found = look(self.machine.path)
        return {path: told for path, told in found.items() if path.startswith(("/etc/ingestd", "/var/lib/ingestd"))}

    def starts(self) -> dict[str, int]:
        """How often systemd has started each unit since the machine's start."""
        return {
            unit: sum(entry.get("MESSAGE_ID") == _STARTED for entry in self.machine.journal(unit)) for unit in UNITS
        }

    def active(self) -> dict[str, str]:
        """Each unit, as `systemctl is-active` says."""
        return {unit: self.machine.run("systemctl", "is-active", unit).stdout.strip() for unit in UNITS}

    def enabled(self) -> dict[str, str]:
        """Each unit, as `systemctl is-enabled` says."""
        return {unit: self.machine.run("systemctl", "is-enabled", unit).stdout.strip() for unit in UNITS}

    def left(self) -> list[str]:
        """All that is not as it was when it had booted: files, processes, units, what the journal knows."""
        root = self.machine.path
        now = look(root)
        found = differences(self.before, now)
        found += [f"dangling: {link}" for link in dangling(root, now) if link not in dangling(root, self.before)]
        for question in (
            ("systemctl", "list-units", "--all", "--no-legend", "ingestd*"),
            ("systemctl", "list-unit-files", "--no-legend", "ingestd*"),
            ("find", *KEPT_BY_SYSTEMD, "/run", "/var/cache", "-name", "*ingestd*"),
            ("dpkg-query", "-W", "-f", "${db:Status-Status}", "ingestd*"),
            ("pgrep", "-af", "ingestd"),
        ):
            found += [f"{' '.join(question)}: {line}" for line in self.machine.run(*question).stdout.splitlines()]
        catalog = self.machine.run("journalctl", "--list-catalog").stdout.splitlines()
        return found + [line for line in catalog if "ingestd" in line]

    def heard(self) -> dict[str, Any]:
        """Mute and gains, as the daemon in the room has them."""
        status = self.site.wait_state("streaming")
        up, down = status["uplink"], status["downlink"]
        return {"muted": up["muted"], "gains": (up["gain_db"], down["gain_db"])}


def older_files() -> dict[str, str]:
    """What is not in the older build as it is in this tree: a key fewer, a module more, another unit."""
    reference, unit = deb.text_of("etc/ingestd.yaml"), deb.text_of("systemd/ingestd.service")
    assert (reference.count(NEW_KEY), unit.count(NEW_LINE)) == (1, 1)
    return {
        "etc/ingestd.yaml": reference.replace(NEW_KEY, ""),
        "systemd/ingestd.service": unit.replace(NEW_LINE, OLD_LINE),
        f"ingestd/{OLD_MODULE}": '"""Gone in the next one."""\n',
    }


@contextlib.contextmanager
def packages(further: Sequence[str] = ()) -> Iterator[Packages]:
    """With all the libraries there, so that apt needs neither a network nor much time; `further` ones beside them."""
    with BootedSite((*PYTHON_LIBRARIES, *further), ()) as site:
        yield Packages(site)
