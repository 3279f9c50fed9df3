"""What the broker's tests as a process share: a database server for the session, of each kind of database one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.broker.hostile_case import attacked, site
from tests.rig.postgres import Postgres

__all__ = ["attacked", "site"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server for the session; `.database()` makes an empty database in it."""
    with Postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/broker.db"
    server: Postgres = request.getfixturevalue("postgres")
    return server.database()
