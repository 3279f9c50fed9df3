"""Who may import whom: pure core, one foreign library in one module, and a composition root that nobody knows."""

from __future__ import annotations

import pytest

from tests.unit.importing import FILES, foreign, importers, imports, modules, ours, strangers, within


@pytest.mark.parametrize("module", modules("ingestd.core"))
def test_core_is_pure(module: str) -> None:
    assert strangers(ours(module), "ingestd.core", "ingestd.errors") == []
    assert foreign(module) == set()
    impure = {"socket", "threading", "time", "select", "selectors", "os", "subprocess", "ssl", "signal", "logging"}
    assert {name.split(".")[0] for name in imports(module)} & (
        impure | {"random", "asyncio", "queue", "fcntl"}
    ) == set()


@pytest.mark.parametrize("module", modules("ingestd.threads"))
def test_threads_know_ports_and_no_adapter(module: str) -> None:
    ports = ("ingestd.audio.ports", "ingestd.net.ports")
    assert strangers(ours(module), "ingestd.core", "ingestd.errors", "ingestd.threads", *ports) == []
    assert foreign(module) == set()


@pytest.mark.parametrize("module", modules("ingestd.audio", "ingestd.net"))
def test_adapters_know_the_core_and_their_own_package(module: str) -> None:
    package = ".".join(module.split(".")[:2])
    allowed = ["ingestd.core", "ingestd.errors", package]
    if module == "ingestd.net.backend":
        allowed += ["ingestd.config.secret", "ingestd.config.schema"]
    assert strangers(ours(module), *allowed) == []


@pytest.mark.parametrize("module", modules("ingestd.metrics"))
def test_metrics_know_the_call_by_its_status_only(module: str) -> None:
    threads = ("ingestd.threads.mailbox", "ingestd.threads.worker")
    others = ("ingestd.net.cancel", "ingestd.net.resolve", "ingestd.system.journal")
    assert strangers(ours(module), "ingestd.core", "ingestd.errors", "ingestd.metrics", *threads, *others) == []


@pytest.mark.parametrize("module", modules("ingestd.config"))
def test_the_configuration_knows_nothing_of_what_it_configures(module: str) -> None:
    assert strangers(ours(module), "ingestd.config", "ingestd.errors", "ingestd.core") == []


@pytest.mark.parametrize(
    ("library", "homes"),
    [
        ("alsaaudio", [f"ingestd.audio.alsa_{part}" for part in ("mixer", "open", "sink", "source")]),
        ("websocket", ["ingestd.net.opening"]),
        ("systemd", ["ingestd.system"]),
        ("prometheus_client", ["ingestd.metrics.families", "ingestd.broker.figures"]),
        ("yaml", ["ingestd.config"]),
    ],
)
def test_a_library_has_one_home(library: str, homes: list[str]) -> None:
    found = importers(library)
    assert found, f"nobody imports {library}: is this rule still needed?"
    assert strangers(found, *homes) == []


def test_there_is_no_other_library() -> None:
    known = {"alsaaudio", "prometheus_client", "systemd", "websocket", "yaml"}
    device = [module for module in FILES if not within(module, "ingestd.broker")]
    assert {module: foreign(module) - known for module in device if foreign(module) - known} == {}


def test_nobody_knows_the_composition_root() -> None:
    root = {"ingestd.daemon", "ingestd.__main__"}
    assert [module for module in FILES if module != "ingestd.__main__" and ours(module) & root] == []


def test_only_the_daemons_own_process_does_without_openssls_hashes() -> None:
    """It has no scrypt then, for one, which others may want."""
    assert [module for module in FILES if "ingestd.plain_hashes" in imports(module)] == ["ingestd.__main__"]


@pytest.mark.parametrize("module", modules("ingestd.threads", "ingestd.core", "ingestd.audio", "ingestd.net"))
def test_what_carries_audio_never_logs(module: str) -> None:
    names = {name.split(".")[0] for name in imports(module)}
    assert not names & {"logging", "syslog"}
    assert (
        strangers(
            ours(module), *(f"ingestd.{part}" for part in ("core", "errors", "threads", "audio", "net", "config"))
        )
        == []
    )


@pytest.mark.parametrize("module", modules("ingestd"))
def test_no_module_of_the_daemon_imports_its_tests(module: str) -> None:
    assert not {name for name in imports(module) if within(name, "tests", "pytest", "hypothesis")}


def test_the_rules_see_every_kind_of_import() -> None:
    assert "websocket" in foreign("ingestd.net.opening"), "inside a function"
    assert "ingestd.net.stream" in imports("ingestd.net.backend"), "a module of a package"
    assert len(FILES) > 30


@pytest.mark.parametrize("module", modules("ingestd.ctl", "ingestd.doctor", "ingestd.hooks"))
def test_the_programs_beside_the_daemon_know_none_of_its_threads(module: str) -> None:
    parts = ["audio", "config", "control.client", "control.protocol", "core", "errors", "net", "planning", "system"]
    if within(module, "ingestd.ctl"):
        parts.append("doctor")
    package = ".".join(module.split(".")[:2])
    assert strangers(ours(module), package, *(f"ingestd.{part}" for part in parts)) == []
