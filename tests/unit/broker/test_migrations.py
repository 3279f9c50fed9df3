"""The tables come from migrations: as the model has them, once however many begin, whole or not at all."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from ingestd.broker.errors import BrokerError
from ingestd.broker.migrating import is_behind, migrate
from ingestd.broker.model import METADATA
from ingestd.broker.storage import Storage
from tests.rig.postgres import Postgres

ROOT = Path(__file__).parents[3]
# All begin at the same time, when each has loaded what it needs.
BEGIN = """
import sys, time
from ingestd.broker.migrating import migrate
from ingestd.broker.storage import Storage
storage = Storage(sys.argv[1])
time.sleep(max(0, float(sys.argv[2]) - time.time()))
migrate(storage)
"""


def revisions(storage: Storage) -> list[str]:
    """The rows of Alembic's own table."""
    with storage.reading() as connection:
        return list(connection.scalars(text("SELECT version_num FROM alembic_version")))


def index_of(found: Any) -> dict[str, Any]:
    """An index as values that compare: the condition of a partial one comes as a piece of SQL."""
    return {**found, "dialect_options": {name: str(value) for name, value in found["dialect_options"].items()}}


def described(connection: Connection) -> dict[str, Any]:
    """Every table with all that the database tells of it, types as it names them."""
    look = inspect(connection)
    return {
        table: {
            "columns": [{**one, "type": str(one["type"])} for one in look.get_columns(table)],
            "key": look.get_pk_constraint(table),
            "foreign": look.get_foreign_keys(table),
            "unique": sorted(look.get_unique_constraints(table), key=lambda one: str(one["name"])),
            "indexes": sorted((index_of(one) for one in look.get_indexes(table)), key=lambda one: str(one["name"])),
        }
        for table in METADATA.tables
    }


def test_the_migrations_make_what_the_model_says(storage: Storage) -> None:
    with storage.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, METADATA) == []


def test_they_make_it_to_the_last_name(storage: Storage) -> None:
    with storage.writing() as connection:
        migrated = described(connection)
        METADATA.drop_all(connection)
        METADATA.create_all(connection)
        assert migrated == described(connection)


def test_once_more_changes_nothing(storage: Storage) -> None:
    before = revisions(storage)
    assert not is_behind(storage)
    migrate(storage)
    assert revisions(storage) == before
    assert len(before) == 1


def test_many_may_begin_at_once(database_url: str) -> None:
    command = [sys.executable, "-c", BEGIN, database_url, str(time.time() + 1.5)]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE, cwd=ROOT) for _ in range(4)]
    assert [one.communicate(timeout=60)[1] for one in running] == [b""] * len(running)
    storage = Storage(database_url)
    assert len(revisions(storage)) == 1
    storage.engine.dispose()


def test_a_step_that_fails_leaves_nothing_behind(database_url: str) -> None:
    storage = Storage(database_url)
    with storage.writing() as connection:  # the last table that a step makes is there already
        connection.execute(text("CREATE TABLE rooms (mine INTEGER)"))
    with pytest.raises(BrokerError, match=r"rooms.* already exists"):
        migrate(storage)
    with storage.reading() as connection:
        assert inspect(connection).get_table_names() == ["rooms"]
    storage.engine.dispose()


def test_a_newer_database_is_left_alone(storage: Storage) -> None:
    with storage.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(BrokerError, match=r"revision 9999 by a newer ingestd-broker than this .*; install that one"):
        migrate(storage)
    assert revisions(storage) == ["9999"]


def test_sqlites_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        storage = Storage(f"sqlite:///{tmp_path}/broker.db")
        migrate(storage)
        modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert modes == {"broker.db": 0o600, "broker.db-shm": 0o600, "broker.db-wal": 0o600}


def test_to_ask_makes_no_file(tmp_path: Path) -> None:
    assert is_behind(Storage(f"sqlite:///{tmp_path}/broker.db"))
    assert list(tmp_path.iterdir()) == []


UNUSABLE = [
    ("none/broker.db", None, r"none/broker.db: No such file or directory; see that .*none is a directory"),
    (".", None, r"storage.url: .*: Is a directory; see that|unable to open database file; see that its disk"),
    ("broker.db", b"not a database " * 100, "file is not a database; restore a copy, or move the file away"),
]


@pytest.mark.parametrize(("name", "content", "words"), UNUSABLE)
def test_a_file_that_cant_be_used(tmp_path: Path, name: str, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BrokerError, match=words):
        migrate(Storage(f"sqlite:///{tmp_path}/{name}"))


def test_a_damaged_file_is_named_so(tmp_path: Path) -> None:
    path = tmp_path / "broker.db"
    storage = Storage(f"sqlite:///{path}")
    migrate(storage)
    storage.engine.dispose()
    content = bytearray(path.read_bytes())
    content[100:4096] = b"\xff" * 3996  # the table of tables
    path.write_bytes(content)
    with pytest.raises(BrokerError, match=r"malformed.*; restore a copy, or move the file away"):
        migrate(Storage(f"sqlite:///{path}"))


def test_a_server_that_cant_be_used(postgres: Postgres) -> None:
    url = postgres.database()
    wrong = [
        url.replace(postgres.password, "wr0ng"),
        url.replace(f":{postgres.port}/", ":1/"),
        url.rpartition("/")[0] + "/absent",
    ]
    for one, what in zip(wrong, ("authentication failed", "Connection refused", "does not exist"), strict=True):
        with pytest.raises(BrokerError, match=what) as caught:
            migrate(Storage(one))
        assert "see that PostgreSQL runs and lets this user in" in str(caught.value)
        assert "wr0ng" not in str(caught.value)
        assert postgres.password not in str(caught.value)
