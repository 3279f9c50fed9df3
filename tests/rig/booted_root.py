"""Roots of Debian 13 for `booted.Booted`, made once and kept for a week as archives."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from tests.rig import registries
from tests.rig.cleanroot import STORE

SYSTEM = ("systemd-sysv", "dbus", "udev", "procps")
"""What makes it boot."""

_SUITE = "trixie"
_LEFT_OUT = ("doc", "man", "locale")
_KEEP_S = 7 * 24 * 3600
# mmdebstrap's own apt, which knows the mirror.
_DOWNLOAD = """export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
apt-get clean
apt-get -y --download-only --install-recommends install"""
# As a device has it: whole packages, of the mirror that is not to be reached from there.
_AS_A_DEVICE = 'rm -f "$1"/etc/dpkg/dpkg.cfg.d/99mmdebstrap; echo force-unsafe-io >"$1"/etc/dpkg/dpkg.cfg.d/rig'


def archive(packages: Sequence[str], downloaded: Sequence[str] = ()) -> Path:
    """The root with these packages beside `SYSTEM`, as a tar archive; half a minute where there is none of this week.

    `downloaded` are not installed: they lie in apt's cache with all they need and recommend, and apt's lists are kept,
    so that apt installs them without a network. One process at a time makes one.
    """
    recipe = "\n".join((_SUITE, *SYSTEM, *packages, *_LEFT_OUT))
    if downloaded:
        recipe = "\n".join((recipe, _DOWNLOAD, _AS_A_DEVICE, *downloaded))
    found = STORE / f"booted-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}.tar"
    STORE.mkdir(parents=True, exist_ok=True)
    with (STORE / ".booted.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for older in STORE.glob("booted-*.tar"):
            if time.time() - older.stat().st_mtime > _KEEP_S:
                older.unlink(missing_ok=True)
        if not found.exists():
            _make(found, packages, downloaded)
    return found


def _make(wanted: Path, packages: Sequence[str], downloaded: Sequence[str]) -> None:
    made = wanted.with_suffix(f".{os.getpid()}.tar")
    settings = made.with_suffix(".conf")
    settings.write_text(registries.apt_settings())
    command = ["mmdebstrap", "--variant=minbase", f"--include={','.join((*SYSTEM, *packages))}"]
    command += [f"--aptopt={settings}", *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _LEFT_OUT)]
    if downloaded:
        command += [f"--customize-hook={_DOWNLOAD} {' '.join(downloaded)}", f"--customize-hook={_AS_A_DEVICE}"]
        command += ["--skip=cleanup/apt"]
    try:
        checked([*command, _SUITE, str(made), registries.debian_mirror()])
        made.rename(wanted)
    finally:
        settings.unlink()
        made.unlink(missing_ok=True)


def checked(command: list[str]) -> None:
    """Runs a command; raises RuntimeError with all that it said where it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout}")
