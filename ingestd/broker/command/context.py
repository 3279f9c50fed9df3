"""What every command may ask for: the settings, the database, the time, a place to print."""

from __future__ import annotations

import os
import pwd
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy.engine import make_url

from ingestd.broker.settings import Settings, read_settings

if TYPE_CHECKING:
    from ingestd.broker.storage import Storage

_STATE: Final = "/var/lib/ingestd-broker"
"""The service's, as systemd makes it and names it in STATE_DIRECTORY."""


class Context:
    """One run of the command. One thread. What it holds is read when it is first asked for."""

    def __init__(self, config: Path, now: Callable[[], float] = time.time, out: Callable[[str], None] = print) -> None:
        self.config = config
        self.now = now
        """Seconds since 1970 UTC."""
        self.out = out
        """Prints one line on standard output."""

    @cached_property
    def settings(self) -> Settings:
        """The configuration. Raises ConfigError with every fault."""
        return read_settings(self.config)

    @cached_property
    def database(self) -> Storage:
        """The database as it is. Raises BrokerError."""
        from ingestd.broker.compose import open_storage

        storage = open_storage(self.settings.storage)
        self.become_owner()
        return storage

    @cached_property
    def storage(self) -> Storage:
        """The database with all its tables. Raises BrokerError."""
        from ingestd.broker.migrating import migrate

        migrate(self.database)
        return self.database

    def become_owner(self) -> None:
        """Root goes on as the service: the owner of SQLite's directory, or else of the one for the service's state.

        What root makes beside SQLite would shut the service out, and PostgreSQL knows its clients by their users.
        """
        url = make_url(self.settings.storage.url.reveal())
        if url.get_backend_name() == "sqlite" and url.database:
            become_owner_of(Path(url.database).parent)
        else:
            become_owner_of(Path(os.environ.get("STATE_DIRECTORY", _STATE).partition(":")[0]))


def with_remedy(text: str) -> str:
    """What PostgreSQL said, with what to do where it was root whom it did not let in."""
    if 'role "root"' not in text and 'user "root"' not in text:
        return text
    return (
        f"{text}; the service is not root there: name the role in storage.url (postgresql://ROLE@…), or run this as "
        "the service's user (runuser -u ingestd-broker -- ingestd-broker …)"
    )


def become_owner_of(directory: Path) -> None:
    """Root, and nobody else, turns into the directory's owner for good, with the owner's groups alone."""
    if os.geteuid() != 0:
        return
    try:
        owner = directory.stat()
    except OSError:
        return  # told by whoever needs it
    if owner.st_uid == 0:
        return
    try:
        entry = pwd.getpwuid(owner.st_uid)
    except KeyError:
        os.setgroups([owner.st_gid])
        os.setgid(owner.st_gid)
    else:
        os.initgroups(entry.pw_name, entry.pw_gid)
        os.setgid(entry.pw_gid)
    os.setuid(owner.st_uid)
