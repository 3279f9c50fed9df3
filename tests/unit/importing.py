"""What each module of ours imports, read out of its text."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from pathlib import Path

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
