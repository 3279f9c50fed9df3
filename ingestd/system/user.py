"""The user that the daemon runs as, and what that user may do."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

_TEST_S: Final = 5.0


class User(NamedTuple):
    """Somebody of this machine's user database."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str

    def starting(self) -> dict[str, Any]:
        """What subprocess takes to start a program as this user; nothing where this process is no root."""
        if os.geteuid() != 0:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": list(self.groups)}


def user_named(name: str, more_groups: Iterable[str] = ()) -> User | None:
    """With `more_groups`, where there are such; None where there is no such user."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    groups = set(os.getgrouplist(name, entry.pw_gid))
    for group in more_groups:
        with contextlib.suppress(KeyError):
            groups.add(grp.getgrnam(group).gr_gid)
    return User(name, entry.pw_uid, entry.pw_gid, tuple(sorted(groups)), entry.pw_dir)


def may(user: User | None, path: Path, what: Literal["r", "w", "x"]) -> bool | None:
    """Whether that user may read, write or enter it; None where this process can't tell, as it is no root.

    Asked of the kernel, so that access lists and read-only disks count. Without a user it is this process's own.
    """
    if user is None or user.uid == os.geteuid():
        return os.access(path, {"r": os.R_OK, "w": os.W_OK, "x": os.X_OK}[what])
    if os.geteuid() != 0:
        return None
    try:
        command = ["/usr/bin/test", f"-{what}", str(path)]
        done = subprocess.run(command, timeout=_TEST_S, check=False, **user.starting())  # noqa: S603 - no shell
        return done.returncode == 0
    except (OSError, subprocess.SubprocessError):
        return None
