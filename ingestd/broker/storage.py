"""The database: SQLite beside the broker, or PostgreSQL for several. Told apart only here."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError, TimeoutError
from sqlalchemy.pool import QueuePool

from ingestd.broker.errors import BrokerError
from ingestd.broker.queueing import Queueing

_WAIT_S: Final = 5
"""For SQLite's write lock, for a connection of the pool, for PostgreSQL to take a connection."""
_POSTGRESQL_OPTIONS: Final = {
    "application_name": "ingestd-broker",
    "connect_timeout": _WAIT_S,
    # A server that has gone without a word, or does not answer, holds no thread for longer.
    "tcp_user_timeout": 1000 * _WAIT_S,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}
_READS: Final = "ingestd_reads"
_DRIVERS: Final = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg2", "postgres": "postgresql+psycopg2"}


class Storage:
    """One engine with its pool. Any thread; not across a fork (`dispose`)."""

    def __init__(
        self, url: str, *, password: str | None = None, connections: int = 32, patience_s: float | None = None
    ) -> None:
        """`connections`: as many threads as may use it at once. Opens nothing yet. Raises BrokerError.

        `patience_s`: how long one statement may take in PostgreSQL, locks of others included; None for no limit.
        """
        self.url = _parsed(url, password)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._writers = Queueing()
        self._written = 0
        """Transactions that were committed; whoever has his turn counts."""
        options: dict[str, Any] = {"timeout": _WAIT_S} if self.is_sqlite else dict(_POSTGRESQL_OPTIONS)
        if patience_s is not None and not self.is_sqlite and "options" not in self.url.query:
            options["options"] = f"-c statement_timeout={1000 * patience_s:.0f}"
        try:
            self.engine: Engine = create_engine(
                self.url,
                poolclass=QueuePool,
                pool_size=connections,
                max_overflow=0,
                pool_timeout=_WAIT_S,
                pool_pre_ping=not self.is_sqlite,  # a server may have been started anew
                connect_args=options,
                hide_parameters=True,  # in errors
            )
        except ModuleNotFoundError:
            raise BrokerError(
                "storage.url is PostgreSQL's, whose driver is missing; install python3-psycopg2"
            ) from None
        if self.is_sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)

    def __repr__(self) -> str:
        return f"Storage({self.shown})"

    @property
    def shown(self) -> str:
        """Where it is, without what follows a question mark and without the password, for people."""
        return self.url.set(query={}, drivername=self.url.get_backend_name()).render_as_string(hide_password=True)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that only reads: no writer is waited for. Raises SQLAlchemyError."""
        # By an option of ours. With the isolation level AUTOCOMMIT a connection is set back when it is left: where the
        # server has just died that fails, with the driver's own error, and its place in the pool is gone for good.
        with self.engine.connect().execution_options(**{_READS: True}) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction, on the disk once it is left without an error. Raises SQLAlchemyError.

        SQLite has one writer at a time: nothing slow may happen within, least of all a request to elsewhere.
        """
        with self._turn():
            with self.engine.begin() as connection:
                yield connection
            self._written += 1

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """SQLite's writers of this process in the order in which they asked: it lets them sleep, longer each time."""
        if not self.is_sqlite:
            yield
            return
        written = self._written
        if not self._writers.acquire(timeout=_WAIT_S):
            if self._written == written:  # no crowd: whose turn it is waits for another program, or for the disk
                raise SQLAlchemyError("the database is locked by another program, or its disk stands still")
            raise TimeoutError("the database is locked by other requests")
        try:
            yield
        finally:
            self._writers.release()

    def dispose(self) -> None:
        """Closes every connection; a forked child calls it before its first use."""
        self.engine.dispose(close=False)


def insert_once(storage: Storage, table: Any) -> Any:
    """An INSERT of that table that does nothing where a unique column has the value already (rowcount 0)."""
    dialect = sqlite if storage.is_sqlite else postgresql
    return dialect.insert(table).on_conflict_do_nothing()


def told(error: SQLAlchemyError) -> str:
    """A database's error in one line, without statement and values: they may hold what is nobody's business."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    first = next(iter(str(cause).splitlines()), "")  # the next ones are PostgreSQL's LINE and DETAIL, with values
    return " ".join(first.split())[:300]


def _parsed(url: str, password: str | None) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise BrokerError(
            "storage.url is no URL of a database; give sqlite:////PATH or postgresql://USER@HOST/NAME"
        ) from None
    driver = _DRIVERS.get(parsed.get_backend_name())
    if driver is None:
        raise BrokerError(f"storage.url names {parsed.get_backend_name()}; give sqlite:////PATH or postgresql://…")
    parsed = parsed.set(drivername=driver)
    return parsed if password is None else parsed.set(password=password)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # sqlite3 begins no transaction by itself: `_begin_sqlite` does
    cursor = connection.cursor()
    _to_wal(cursor)
    # What is acknowledged outlives a power cut: NORMAL would lose the last commits (sqlite.org/pragma.html).
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _to_wal(cursor: Any) -> None:
    """Readers and the writer then keep out of each other's way. SQLite itself waits for nobody who does it just now."""
    until = time.monotonic() + _WAIT_S
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    if not connection.get_execution_options().get(_READS):
        # Not the default, which fails at once where a reader turns writer after another has written.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
