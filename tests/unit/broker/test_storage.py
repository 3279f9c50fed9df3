"""The database, of each kind: what is promised of a transaction, and who waits for whom."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError, OperationalError, SQLAlchemyError, TimeoutError

from ingestd.broker import storage as module
from ingestd.broker.errors import BrokerError
from ingestd.broker.model import EVENTS, ROOMS, SESSIONS
from ingestd.broker.storage import Storage, insert_once, told
from tests.rig.postgres import Postgres, needs_postgres
from tests.rig.process import wait_until

ROOM = {"custom_room_id": "lobby", "room_id": "abcd", "made_ms": 1}


def rooms(storage: Storage) -> list[str]:
    """What there is, as another connection sees it."""
    with storage.reading() as connection:
        return list(connection.scalars(select(ROOMS.c.custom_room_id)))


def test_what_was_written_is_there_for_others(storage: Storage) -> None:
    with storage.writing() as connection:
        connection.execute(insert(ROOMS).values(ROOM))
        assert rooms(storage) == []  # and nobody waited
    assert rooms(storage) == ["lobby"]


def test_an_error_takes_all_of_it_back(storage: Storage) -> None:
    def write() -> None:
        with storage.writing() as connection:
            connection.execute(insert(ROOMS).values(ROOM))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    assert rooms(storage) == []


def test_the_second_of_two_writers_sees_what_the_first_wrote(storage: Storage) -> None:
    """Read, then write: SQLite's own transactions would fail here, as each has begun to read before the other wrote."""
    together = threading.Barrier(2)

    def count_up() -> None:
        together.wait()
        for _ in range(50):
            with storage.writing() as connection:
                seen = connection.scalar(select(ROOMS.c.made_ms).with_for_update()) or 0
                connection.execute(ROOMS.update().values(made_ms=seen + 1))

    with storage.writing() as connection:
        connection.execute(insert(ROOMS).values({**ROOM, "made_ms": 0}))
    threads = [threading.Thread(target=count_up) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with storage.reading() as connection:
        assert connection.scalar(select(ROOMS.c.made_ms)) == 100


def test_insert_once(storage: Storage) -> None:
    with storage.writing() as connection:
        assert connection.execute(insert_once(storage, ROOMS).values(ROOM)).rowcount == 1
        assert connection.execute(insert_once(storage, ROOMS).values({**ROOM, "room_id": "other"})).rowcount == 0
    with storage.reading() as connection:
        assert connection.scalar(select(ROOMS.c.room_id)) == "abcd"


def test_a_session_needs_its_device(storage: Storage) -> None:
    with pytest.raises(IntegrityError), storage.writing() as connection:
        connection.execute(insert(SESSIONS).values(device_id=7, asked_ms=1))


def test_numbers_of_rows_are_given(storage: Storage) -> None:
    rows = [{"digest": bytes([number]) * 32, "kind": "k", "received_ms": 2**41, "body": "{}"} for number in range(2)]
    with storage.writing() as connection:
        numbers = [connection.execute(insert(EVENTS).values(row)).inserted_primary_key for row in rows]
    assert [tuple(one or ()) for one in numbers] == [(1,), (2,)]


def test_an_error_is_told_without_what_was_stored(storage: Storage) -> None:
    secret = "s3cr3t"
    with pytest.raises(SQLAlchemyError) as caught, storage.writing() as connection:
        connection.execute(text("INSERT INTO nowhere VALUES (:it)"), {"it": secret})
    assert "nowhere" in told(caught.value)
    assert secret not in told(caught.value)
    assert "\n" not in told(caught.value)


@pytest.mark.parametrize("processes", [1, 2])
def test_sqlite_waits_for_a_writer_and_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    monkeypatch.setattr(module, "_WAIT_S", 0.05)
    storages = [Storage(f"sqlite:///{tmp_path}/broker.db") for _ in range(processes)]
    first, last = storages[0], storages[-1]
    with first.writing(), pytest.raises(SQLAlchemyError, match="database is locked"), last.writing():
        pass
    with last.writing():  # and the lock is free again
        pass


class NeverOurTurn:
    """The turns of a process's writers: they pass us by for as long as we wait."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        self._meanwhile: Callable[[], None] | None = meanwhile

    def acquire(self, timeout: float) -> bool:
        """Ours never comes; what happens meanwhile is somebody else's turn."""
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile is None:
            return True
        meanwhile()
        return False

    def release(self) -> None:
        """Nobody waits."""


def test_a_crowd_of_writers_is_told_apart_from_a_lock_of_others(tmp_path: Path) -> None:
    storage = Storage(f"sqlite:///{tmp_path}/broker.db")

    def write() -> None:
        with storage.writing():
            pass

    def fail_to_write() -> None:
        with closing(sqlite3.connect(tmp_path / "broker.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with storage.reading() as connection:
                connection.execute(text("PRAGMA busy_timeout = 1"))
            with pytest.raises(OperationalError):
                write()

    for meanwhile, crowded in ((write, True), (fail_to_write, False)):
        storage._writers = NeverOurTurn(meanwhile)  # type: ignore[assignment]  # a real one has no such patience
        with pytest.raises(SQLAlchemyError, match="database is locked") as caught:
            write()
        assert isinstance(caught.value, TimeoutError) is crowded


def test_no_free_connection_is_not_waited_for_for_ever(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WAIT_S", 1)
    storage = Storage(database_url, connections=1)
    with storage.reading(), pytest.raises(SQLAlchemyError, match="QueuePool limit"), storage.reading():
        pass
    storage.engine.dispose()


def test_sqlite_outlives_a_power_cut(tmp_path: Path) -> None:
    storage = Storage(f"sqlite:///{tmp_path}/broker.db")
    with storage.reading() as connection:
        found = [connection.execute(text(f"PRAGMA {one}")).scalar() for one in ("journal_mode", "synchronous")]
    assert found == ["wal", 2]


@needs_postgres
def test_a_server_that_was_started_anew_is_found_again() -> None:
    with Postgres() as server:
        storage = Storage(server.database())
        with storage.reading() as connection:
            assert connection.scalar(text("SELECT 1")) == 1
        server.stop()
        with pytest.raises(OperationalError), storage.reading():
            pass
        server.start()
        with storage.reading() as connection:
            assert connection.scalar(text("SELECT 1")) == 1
        storage.engine.dispose()


@needs_postgres
@pytest.mark.parametrize("kind", ["reading", "writing"])
def test_a_server_that_dies_in_the_midst_keeps_no_place_in_the_pool(kind: str) -> None:
    # A server of its own: one with all the other tests' databases takes its time to recover.
    with Postgres() as server:
        storage = Storage(server.database(), connections=1)
        for _ in range(2):
            # Whether leaving notices is the driver's business; what it does is told as every fault of a database is.
            with contextlib.suppress(SQLAlchemyError), getattr(storage, kind)() as connection:
                connection.scalar(text("SELECT 1"))
                server.kill()
                with contextlib.suppress(SQLAlchemyError):
                    connection.scalar(text("SELECT 1"))
            server.start()
        with storage.reading() as connection:
            assert connection.scalar(text("SELECT 1")) == 1
        storage.engine.dispose()


def test_a_connection_that_read_is_left_without_asking_the_driver_for_anything(postgres: Postgres) -> None:
    """Setting one back fails where the server has just died, beside the pool, and takes a place of it along."""
    storage = Storage(postgres.database())
    with storage.reading() as connection:
        connection.scalar(text("SELECT 1"))
        driver: Any = connection.connection.dbapi_connection
        assert not driver.autocommit
        record: Any = connection.connection._connection_record
        assert not record.finalize_callback
    storage.engine.dispose()


def test_a_lock_that_somebody_keeps_is_not_waited_for_for_ever(postgres: Postgres) -> None:
    url = postgres.database()
    keeper, storage = Storage(url), Storage(url, patience_s=0.2)
    with keeper.writing() as connection:
        connection.execute(text("CREATE TABLE kept (id INTEGER)"))
    with keeper.writing() as connection:
        connection.execute(text("LOCK TABLE kept"))
        with pytest.raises(OperationalError, match="statement timeout"), storage.reading() as waiting:
            waiting.execute(text("SELECT * FROM kept"))
    wait_until(lambda: found_in_time(storage) == [], 30, "a statement for which this machine was not late")
    for one in (keeper, storage):
        one.engine.dispose()


def found_in_time(storage: Storage) -> list[Any] | None:
    """What was kept; None where the server itself took longer than it may."""
    try:
        with storage.reading() as connection:
            return list(connection.execute(text("SELECT * FROM kept")))
    except OperationalError as error:
        if "statement timeout" not in str(error):
            raise
        return None


def test_the_password_of_a_file_counts_and_none_is_shown(postgres: Postgres) -> None:
    url = postgres.database()
    storage = Storage(url.replace(postgres.password, "wrong"), password=postgres.password)
    with storage.reading() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
    assert postgres.password not in f"{storage!r} {storage.shown}"
    assert storage.shown == url.replace(postgres.password, "***")
    storage.engine.dispose()


@pytest.mark.parametrize("url", ["nothing", "mysql://h/d", "postgresql://h:port/d"])
def test_a_url_that_is_none(url: str) -> None:
    with pytest.raises(BrokerError, match="give sqlite:////PATH or postgresql://"):
        Storage(url)
