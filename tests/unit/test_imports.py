"""Who may import whom: pure core, one foreign library in one module, and a composition root that nobody knows."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STDLIB = frozenset(sys.stdlib_module_names)


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {name_of(path): path for path in (ROOT / "ingestd").rglob("*.py")}


def imports(module: str) -> set[str]:
    """All that a module imports anywhere in it, as `package.module` or, of ours, as full as it is known."""
    path = FILES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(), path.name)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
                base = f"{above}.{base}".rstrip(".")
            for alias in node.names:
                full = f"{base}.{alias.name}"
                found.add(full if full in FILES else base)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("__import__", "importlib.import_module"):
            found.add(ast.unparse(node.args[0]).strip("'\""))
    return found


def within(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(package + ".") for package in packages)


def ours(module: str) -> set[str]:
    return {name for name in imports(module) if within(name, "ingestd")}


def foreign(module: str) -> set[str]:
    """Libraries from outside the standard library, by their top name."""
    return {name.split(".")[0] for name in imports(module)} - STDLIB - {"ingestd"}


def modules(*packages: str) -> list[str]:
    found = sorted(name for name in FILES if within(name, *packages))
    assert found
    return found


def strangers(names: Iterable[str], *allowed: str) -> list[str]:
    """Those of our modules that are not among the packages allowed. The package itself holds only the version."""
    return sorted(name for name in names if name != "ingestd" and not within(name, *allowed))


def importers(library: str) -> list[str]:
    return [module for module in FILES if library in foreign(module)]


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


@pytest.mark.parametrize("module", modules("ingestd.config"))
def test_the_configuration_knows_nothing_of_what_it_configures(module: str) -> None:
    assert strangers(ours(module), "ingestd.config", "ingestd.errors", "ingestd.core") == []


@pytest.mark.parametrize(
    ("library", "homes"),
    [
        ("alsaaudio", [f"ingestd.audio.alsa_{part}" for part in ("mixer", "open", "sink", "source")]),
        ("requests", ["ingestd.net.backend"]),
        ("websocket", ["ingestd.net.dialer"]),
        ("systemd", ["ingestd.system"]),
        ("yaml", ["ingestd.config"]),
    ],
)
def test_a_library_has_one_home(library: str, homes: list[str]) -> None:
    found = importers(library)
    assert found, f"nobody imports {library}: is this rule still needed?"
    assert strangers(found, *homes) == []


def test_there_is_no_other_library() -> None:
    known = {"alsaaudio", "requests", "websocket", "systemd", "yaml"}
    assert {module: foreign(module) - known for module in FILES if foreign(module) - known} == {}


def test_nobody_knows_the_composition_root() -> None:
    root = {"ingestd.daemon", "ingestd.__main__"}
    assert [module for module in FILES if module != "ingestd.__main__" and ours(module) & root] == []


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
    assert "requests" in foreign("ingestd.net.backend"), "inside a function"
    assert "ingestd.net.stream" in imports("ingestd.net.backend"), "a module of a package"
    assert len(FILES) > 30
