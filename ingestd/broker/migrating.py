"""Brings a database's tables to what this version knows. The only importer of Alembic, with the migrations."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from ingestd import __version__
from ingestd.broker.errors import BrokerError
from ingestd.broker.storage import Storage, told

_LOCK: Final = 0x696E67657374
"""Of PostgreSQL's advisory locks, which are numbers that programs agree upon, in each database by itself."""
_log = logging.getLogger(__name__)


def migrate(storage: Storage) -> None:
    """Makes or changes the tables as the newest migration has them, or finds that they are so already.

    All of it happens in one transaction, and one broker at a time does it. Raises BrokerError: the database can't be
    used, or a newer version has changed it.
    """
    if not is_behind(storage):
        return
    try:
        if storage.is_sqlite:
            _make_private(Path(storage.url.database or ""))
        script = ScriptDirectory.from_config(_config())
        with storage.writing() as connection:
            if not storage.is_sqlite:  # which has one writer at a time
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            before = _revision(connection)
            if _is_behind(connection, script):
                command.upgrade(_config(connection), "head")
                _log.info("the database came from revision %s to %s", before or "none", script.get_current_head())
    except SQLAlchemyError as error:
        raise _unusable(storage, error) from None


def is_behind(storage: Storage) -> bool:
    """Whether `migrate` has something to do; makes nothing. Raises BrokerError as it does."""
    try:
        if storage.is_sqlite and _is_to_be_made(Path(storage.url.database or "")):
            return True
        with storage.reading() as connection:
            return _is_behind(connection, ScriptDirectory.from_config(_config()))
    except SQLAlchemyError as error:
        raise _unusable(storage, error) from None


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _is_behind(connection: Connection, script: ScriptDirectory) -> bool:
    revision = _revision(connection)
    if revision is not None and revision not in {one.revision for one in script.walk_revisions()}:
        raise BrokerError(
            f"the database was brought to revision {revision} by a newer ingestd-broker than this ({__version__}); "
            "install that one here too, or restore the copy from before"
        )
    return revision != script.get_current_head()


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _is_to_be_made(path: Path) -> bool:
    """Whether SQLite's file is missing. Raises BrokerError where it can't be made or used."""
    try:
        if path.exists():
            if not os.access(path, os.R_OK | os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return False
        if not os.access(path.parent, os.W_OK | os.X_OK):
            number = errno.EACCES if path.parent.is_dir() else errno.ENOENT
            raise OSError(number, os.strerror(number))
    except OSError as error:
        raise _unmade(path, error) from None
    return True


def _make_private(path: Path) -> None:
    """SQLite would make its file readable for all; those beside it are given the same mode."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise _unmade(path, error) from None


def _unmade(path: Path, error: OSError) -> BrokerError:
    return BrokerError(
        f"storage.url: {path}: {error.strerror}; see that {path.parent} is a directory, and that it and what is in it "
        "belong to the broker's user"
    )


def _unusable(storage: Storage, error: SQLAlchemyError) -> BrokerError:
    what = told(error)
    if not storage.is_sqlite:
        remedy = "see that PostgreSQL runs and lets this user in, and that the database is there and the user's own"
    elif "not a database" in what or "malformed" in what:
        remedy = "restore a copy, or move the file away to begin anew"
    else:
        remedy = "see that its disk has room, and that the broker's user may write the file and its directory"
    return BrokerError(f"{storage.shown}: {what}; {remedy}")
