"""Who root becomes, and what `check` then says of files that the service may not read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig.postgres import Postgres
from tests.unit.broker.test_command_main import configured

ROOT = Path(__file__).parents[3]
SERVICE = 65534
"""Its user id and group id; on each machine they are those of nobody."""

pytestmark = pytest.mark.root


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that everybody may enter, with one for the database that is the service's."""
    made = Path(tempfile.mkdtemp(prefix="broker-", dir="/tmp"))  # a number may be that of one that was killed
    made.chmod(0o711)
    try:
        configured(made)
        (made / "token").chmod(0o640)
        for name in ("broker.yaml", "token"):
            os.chown(made / name, 0, SERVICE)
        os.chown(made / "data", SERVICE, SERVICE)
        (made / "data").chmod(0o700)
        yield made
    finally:
        shutil.rmtree(made)


def run(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own, whose state is kept in the directory for the database."""
    command = [sys.executable, "-m", "ingestd.broker", "--config", f"{place}/broker.yaml", *arguments]
    environment = os.environ | {"STATE_DIRECTORY": f"{place}/data"}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT, env=environment)


def test_root_writes_as_the_owner_of_the_database(place: Path) -> None:
    """And reads the configuration before: the owner may not."""
    (place / "broker.yaml").chmod(0o600)
    done = run(place, "migrate")
    assert (done.returncode, done.stderr) == (0, "")
    found = {one.name: (one.stat().st_uid, one.stat().st_gid) for one in (place / "data").iterdir()}
    assert set(found.values()) == {(SERVICE, SERVICE)}
    assert "broker.db" in found


def test_check_finds_what_the_service_may_not_read(place: Path) -> None:
    told = run(place, "check").stdout
    assert "can't read" not in told
    assert f"good: the configuration, {place}/broker.yaml" in told
    (place / "broker.yaml").chmod(0o600)
    (place / "token").chmod(0o600)
    (place / "conf.d").mkdir(mode=0o755)
    (place / "conf.d/10-more.yaml").write_text("log: {level: debug}\n")
    (place / "conf.d/10-more.yaml").chmod(0o600)
    done = run(place, "check")
    assert done.returncode == 1
    for name in ("broker.yaml", "conf.d/10-more.yaml", "token"):
        (line,) = (line for line in done.stdout.splitlines() if f"{place}/{name}" in line)
        assert line.startswith("bad: ")
        assert line.endswith(f"chgrp nogroup {place}/{name} && chmod 640 {place}/{name}")


def test_check_finds_a_directory_that_the_service_may_not_enter(place: Path) -> None:
    (place / "conf.d").mkdir(mode=0o700)
    place.chmod(0o700)
    done = run(place, "check")
    assert done.returncode == 1
    assert f"chgrp nogroup {place} && chmod 750 {place}" in done.stdout
    place.chmod(0o711)
    done = run(place, "check")
    assert f"chgrp nogroup {place}/conf.d && chmod 750 {place}/conf.d" in done.stdout


def test_check_says_where_it_could_not_try_as_the_service(place: Path) -> None:
    assert "not tried: all this" not in run(place, "check").stdout
    os.chown(place / "data", 0, 0)
    assert "not tried: all this as the service's user: the directory of its" in run(place, "check").stdout


def test_with_postgresql_root_goes_on_as_the_service_too(place: Path, postgres: Postgres) -> None:
    config = place / "broker.yaml"
    url = postgres.database()
    config.write_text(config.read_text().replace(f"sqlite:///{place}/data/broker.db", url))
    (place / "token").chmod(0o600)
    assert run(place, "migrate").returncode == 0
    assert f"chgrp nogroup {place}/token" in run(place, "check").stdout


def test_a_database_that_does_not_let_root_in_is_told_with_the_remedy(place: Path, postgres: Postgres) -> None:
    config = place / "broker.yaml"
    url = postgres.database()
    host = url.partition("@")[2]
    config.write_text(
        config.read_text().replace(f"sqlite:///{place}/data/broker.db", f"postgresql://root:wrong@{host}")
    )
    done = run(place, "migrate")
    assert done.returncode == 1
    assert 'failed for user "root"' in done.stderr
    assert "wrong" not in done.stderr
    assert "name the role in storage.url" in done.stderr
