"""What a package leaves behind: two looks at all files of a root, compared as piuparts does it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
from pathlib import Path

Look = dict[str, str]
"""Each path with its kind, mode, owner, and content or target."""

# As piuparts does: what apt, dpkg and the tools for accounts keep of their own, and what a running system writes.
_IGNORED = re.compile(
    r"""/(?:dev|proc|run|srv|sys|var/cache|root)(?:/|$)
    |/var/log/(?:apt|journal|private|dpkg\.log|alternatives\.log|[bw]tmp(?:\.db)?|lastlog|faillog|README)(?:/|$)
    |/(?:var/)?tmp/systemd-private-
    |/var/lib/(?:apt|dpkg|systemd/(?:random-seed|timers|timesync|coredump|rfkill|linger|pstore))(?:/|$)
    |/var/lib/systemd/catalog/database$     # compared by what it holds: `journalctl --list-catalog`
    |/etc/(?:passwd|group|shadow|gshadow|subuid|subgid)-$
    |/etc/\.pwd\.lock$
    |/etc/(?:machine-id|hostname|resolv\.conf|mtab)$ # systemd-nspawn's""",
    re.VERBOSE,
)


def look(root: Path) -> Look:
    """All there is below that folder but for what is ignored; folders are told by no time and no size."""
    found: Look = {}
    for folder, folders, files in os.walk(root):
        inside = folder.removeprefix(str(root))
        folders[:] = [name for name in folders if not _IGNORED.match(f"{inside}/{name}")]
        for name in (*folders, *files):
            path = f"{inside}/{name}"
            if not _IGNORED.match(path):
                with contextlib.suppress(FileNotFoundError):  # gone since its folder was read: it is not there
                    found[path] = _described(root / path.lstrip("/"))
    return found


def _described(path: Path) -> str:
    status = path.lstat()
    told = f"{stat.filemode(status.st_mode)} {status.st_uid}:{status.st_gid}"
    if path.is_symlink():
        return f"{told} -> {os.readlink(path)}"
    if path.is_file():
        return f"{told} {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"
    return told


def differences(before: Look, after: Look) -> list[str]:
    """What came, went or is another, one a line; empty where all is as it was."""
    return [
        f"{path}: {before.get(path, 'absent')} is now {after.get(path, 'absent')}"
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    ]


def dangling(root: Path, paths: Look) -> list[str]:
    """Those of the paths that are links to nothing within the root."""
    found = []
    for path in paths:
        link = root / path.lstrip("/")
        if link.is_symlink():
            target = os.readlink(link)
            aim = root / target.lstrip("/") if target.startswith("/") else link.parent / target
            if not os.path.lexists(aim):
                found.append(f"{path} -> {target}")
    return found
