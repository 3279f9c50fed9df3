"""Whether this process's user may read a file, and what to do where it may not."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

from ingestd.broker.errors import BrokerError


def check_readable(path: Path) -> None:
    """Raises BrokerError where the user may not read the file, or not enter a directory above it.

    What is not there is for whoever needs it to tell.
    """
    for above in reversed(path.parents):
        if above.is_dir() and not os.access(above, os.X_OK):
            raise BrokerError(f"{path}: {_user()} may not enter {above}; {_remedy(above, 750)}")
    if path.is_dir() and not os.access(path, os.R_OK | os.X_OK):
        raise BrokerError(f"{path}: {_user()} may not list it; {_remedy(path, 750)}")
    if path.exists() and not os.access(path, os.R_OK):
        raise BrokerError(f"{path}: {_user()} may not read it; {_remedy(path, 640)}")


def _remedy(path: Path, mode: int) -> str:
    try:
        group = grp.getgrgid(os.getegid()).gr_name
    except KeyError:
        group = str(os.getegid())
    return f"chgrp {group} {path} && chmod {mode} {path}"


def _user() -> str:
    try:
        return f"the user {pwd.getpwuid(os.geteuid()).pw_name}"
    except KeyError:
        return f"the user id {os.geteuid()}"
