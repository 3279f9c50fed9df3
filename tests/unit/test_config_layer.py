"""The configuration stands on the standard library, yaml, the pure core and the error tree, and is cheap to import."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "ingestd/config"
MODULES = sorted(PACKAGE.glob("*.py"))
ALLOWED = ("ingestd.config", "ingestd.core", "ingestd.errors", "yaml")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_imports(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names = [node.module or ""]
        for name in names:
            ours = name == "ingestd" or name.startswith(ALLOWED)  # the package itself holds only the version
            assert ours or name.split(".")[0] in sys.stdlib_module_names, name


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) < 300


def test_only_what_reads_writes_and_edits_knows_yaml() -> None:
    users = [path.name for path in MODULES if "import yaml" in path.read_text()]
    assert users == ["edit.py", "reader.py", "writer.py"]


def test_what_a_good_file_does_not_need_is_not_imported() -> None:
    code = "import sys, ingestd.config.load; print([m for m in ('difflib', 'http.client') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PACKAGE.parents[1], capture_output=True, text=True
    )
    assert done.stdout == "[]\n", done.stderr
