"""Who may import whom in the broker: apart from the daemon, and each library in one place."""

from __future__ import annotations

import pytest

from tests.unit.importing import FILES, foreign, imports, modules, ours, strangers, within

BROKER = "ingestd.broker"
SHARED = [
    *(f"ingestd.config.{part}" for part in ("compounds", "faults", "files", "groups", "kind", "layers", "reader")),
    *(f"ingestd.config.{part}" for part in ("scalars", "secret", "suggest", "tree", "web")),
    *(f"ingestd.core.{part}" for part in ("credential", "ingest_session", "retry_after")),
    "ingestd.errors",
]
"""What is shipped with the broker's package beside itself."""


@pytest.mark.parametrize("module", modules(BROKER))
def test_the_broker_knows_of_the_daemon_only_what_is_shipped_with_it(module: str) -> None:
    assert strangers(ours(module), BROKER, *SHARED) == []


@pytest.mark.parametrize("module", SHARED)
def test_what_is_shared_needs_nothing_else_of_the_daemon(module: str) -> None:
    assert strangers(ours(module), *SHARED) == []


def test_nothing_of_the_daemon_knows_the_broker() -> None:
    device = [module for module in FILES if not within(module, BROKER)]
    assert device
    assert [module for module in device if any(within(name, BROKER) for name in ours(module))] == []


@pytest.mark.parametrize(
    ("library", "homes"),
    [
        ("alembic", ["migrating", "migrations"]),
        ("cryptography", ["signatures"]),
        ("flask", ["app", "web"]),
        ("gunicorn", ["serve", "worker"]),
        ("jwt", ["tokens"]),
        ("prometheus_client", ["figures"]),
        ("requests", ["service"]),
        ("werkzeug", ["app", "web"]),
    ],
)
def test_a_library_of_the_broker_has_one_home(library: str, homes: list[str]) -> None:
    found = [module for module in modules(BROKER) if library in foreign(module)]
    assert found, f"nobody imports {library}: is this rule still needed?"
    assert strangers(found, *(f"{BROKER}.{home}" for home in homes)) == []


def test_the_broker_has_no_other_library() -> None:
    known = {"alembic", "cryptography", "flask", "gunicorn", "jwt", "prometheus_client", "requests", "sqlalchemy"}
    known |= {"werkzeug"}
    assert {module: foreign(module) - known for module in modules(BROKER) if foreign(module) - known} == {}


@pytest.mark.parametrize("module", [f"{BROKER}.{pure}" for pure in ("answers", "bodies", "device_keys")])
def test_what_decides_is_pure(module: str) -> None:
    assert foreign(module) == set()
    names = {name.split(".")[0] for name in imports(module)}
    assert not names & {"socket", "threading", "time", "os", "logging", "random"}


def test_only_what_composes_knows_every_part() -> None:
    root = {f"{BROKER}.compose", f"{BROKER}.app"}
    knowing = [module for module in modules(BROKER) if ours(module) & root]
    allowed = [f"{BROKER}.{part}" for part in ("app", "web", "serve", "worker", "command")]
    assert strangers(knowing, *allowed) == []
