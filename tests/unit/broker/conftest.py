"""Databases for the broker's tests: SQLite in a file, PostgreSQL in a server of the session's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestd.broker.migrating import migrate
from ingestd.broker.storage import Storage
from tests.rig.postgres import Postgres
from tests.unit.broker.site import Site


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server for the session; `.database()` makes an empty database in it."""
    with Postgres(durable=False) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/broker.db"
    server: Postgres = request.getfixturevalue("postgres")
    return server.database()


@pytest.fixture
def storage(database_url: str) -> Iterator[Storage]:
    """A database with its tables, of each kind in turn."""
    made = Storage(database_url)
    migrate(made)
    yield made
    made.engine.dispose()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """The application on SQLite, with a key for operators."""
    made = Site(tmp_path, f"sqlite:///{tmp_path}/broker.db")
    yield made
    made.close()
