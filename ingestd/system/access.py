"""What keeps the user that a service runs as from a file. Root can tell, who reads everything; nobody else is told."""

from __future__ import annotations

import grp
import os
from collections.abc import Iterable
from pathlib import Path
from shlex import quote
from typing import Final, NamedTuple

from ingestd.system.units import properties_of
from ingestd.system.user import User, may, user_named

_PROPERTIES: Final = "User,Group,SupplementaryGroups,ProtectHome"
_NOBODY: Final = 65534
_HOMES: Final = (Path("/home"), Path("/root"), Path("/run/user"))  # systemd.exec(5), ProtectHome=
_HIDDEN: Final = ("yes", "tmpfs")


class Reader(NamedTuple):
    """Who reads files for a service."""

    user: User | None
    """None where there is no such user on this machine."""
    sees_homes: bool = True
    """Nothing below /home and /root is hidden from the service."""


class Hindrance(NamedTuple):
    """What is in the way, and what helps."""

    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}; {self.remedy}"


def reader_of(unit: str, user: str, group: str) -> Reader:
    """Whom that service runs as, by systemd; by these names where that says nothing.

    A dynamic user, who is there only while the service runs, may read what its group may, and everybody.
    """
    known = properties_of(unit, _PROPERTIES) or {}
    found = user_named(known.get("User") or user, known.get("SupplementaryGroups", "").split())
    if found is None:
        try:
            gid = grp.getgrnam(known.get("Group") or group).gr_gid
        except KeyError:
            return Reader(None)
        found = User(known.get("User") or user, _NOBODY, gid, (gid,), "/")
    return Reader(found, sees_homes(known))


def sees_homes(properties: dict[str, str]) -> bool:
    """Whether a service with these properties sees what is below /home and /root."""
    return properties.get("ProtectHome") not in _HIDDEN


def hindrance(reader: Reader, path: Path) -> Hindrance | None:
    """Why that user can't read the file or folder, which is there; None where nothing is known to be in the way."""
    user = reader.user
    if user is None or os.geteuid() != 0:
        return None
    real = path.resolve()
    moved = f"put the file itself at {path}, which is a link to {real}" if real != path.absolute() else ""
    home = next((home for home in _HOMES if home in real.parents), None)
    if home is not None and not reader.sees_homes:
        what = f"the service sees nothing below {home} (ProtectHome= of its unit), so {path} is not there for it"
        return Hindrance(what, moved or f"move {quote(str(path))}, as to /etc/ingestd")
    if may(user, real, "r") is not False and not (real.is_dir() and may(user, real, "x") is False):
        return None
    for folder in reversed(real.parents):
        if may(user, folder, "x") is False:
            what = f"{user.name}, whom the service runs as, may not enter {folder}, so it can't read {path}"
            return Hindrance(what, moved or _granting(user, folder, "g+x"))
    what = f"{user.name}, whom the service runs as, may not read {path}"
    return Hindrance(what, _granting(user, path, "g+rx" if real.is_dir() else "640"))


def hindrances(reader: Reader, paths: Iterable[Path]) -> list[Hindrance]:
    """Of all these, each once: what is in a folder that is closed need not be told file by file."""
    found: dict[str, Hindrance] = {}  # by the remedy: what takes the same one has the same cause
    closed: set[Path] = set()
    for path in paths:
        if closed.isdisjoint(path.parents) and (one := hindrance(reader, path)) is not None:
            found.setdefault(one.remedy, one)
            closed.add(path)
    return list(found.values())


def may_look(path: Path) -> bool:
    """Whether this process may read the file, or it is not for want of permission that it can't."""
    try:
        with path.open("rb"):
            return True
    except PermissionError:
        return False
    except OSError:
        return True


def _granting(user: User, path: Path, mode: str) -> str:
    named = quote(str(path))
    return f"chgrp {quote(_group(user.gid))} {named} && chmod {mode} {named}"


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
