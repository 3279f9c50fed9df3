"""Draws the parts of ARCHITECTURE.md that the code itself tells: files, imports, threads, the lifecycle.

`python -m tests.drawings.architecture` rewrites what stands between its marks; `--check` only says whether it would.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from ingestd.core.lifecycle import TRANSITIONS, State

REPO = Path(__file__).resolve().parents[2]
DOCUMENT = REPO / "ARCHITECTURE.md"
PACKAGE = REPO / "ingestd"


def _modules() -> dict[str, ast.Module]:
    """Dotted name → syntax tree, of every module that is more than a package's mark."""
    found: dict[str, ast.Module] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text())
        if tree.body:
            parts = path.relative_to(REPO).with_suffix("").parts
            found[".".join(part for part in parts if part != "__init__")] = tree
    return found


def _first_line(tree: ast.Module | ast.ClassDef) -> str:
    return (ast.get_docstring(tree) or "").split("\n")[0]


def _path(name: str) -> str:
    path = REPO.joinpath(*name.split("."))
    return str((path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).relative_to(REPO))


def files() -> str:
    """Every file with the first line of its docstring."""
    lines = ["| file | what it is |", "| --- | --- |"]
    lines += [f"| `{_path(name)}` | {_first_line(tree)} |" for name, tree in _modules().items()]
    return "\n".join(lines)


def _part(name: str) -> str:
    """The package a module belongs to; the modules at the root are the composition root and what it uses."""
    words = name.split(".")
    if len(words) > 2 or (len(words) == 2 and (PACKAGE / words[1]).is_dir()):
        return words[1]
    return {"errors": "errors"}.get(words[-1], "root")


def imports() -> str:
    """Which package imports which."""
    arrows: dict[str, set[str]] = defaultdict(set)
    for name, tree in _modules().items():
        for node in ast.walk(tree):
            names: list[str] = []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            for imported in names:
                if imported.startswith("ingestd.") and _part(imported) not in (_part(name), "errors"):
                    arrows[_part(name)].add(_part(imported))
    lines = ["```mermaid", "graph TD"]
    lines += [f"    {source} --> {target}" for source in sorted(arrows) for target in sorted(arrows[source])]
    return "\n".join([*lines, "```"])


def threads() -> str:
    """Every subclass of Worker: the thread's name and what it does."""
    lines = ["| thread | file | what it does |", "| --- | --- | --- |"]
    for name, tree in _modules().items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "Worker" for base in node.bases):
                title = next(
                    ast.literal_eval(item.value)
                    for item in node.body
                    if isinstance(item, ast.Assign) and ast.unparse(item.targets[0]) == "name"
                )
                lines.append(f"| {title} | `{_path(name)}` | {_first_line(node)} |")
    return "\n".join(lines)


def lifecycle() -> str:
    """The transition table as a diagram; events that change nothing are left out."""

    def name(state: State) -> str:
        return state.name.lower()  # mermaid takes no spaces

    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {name(State.IDLE)}"]
    for (state, happening), (following, actions) in TRANSITIONS.items():
        if following is not state:
            done = ", ".join(action.value for action in actions)
            lines.append(f"    {name(state)} --> {name(following)}: {happening.value}" + (f" / {done}" if done else ""))
    return "\n".join([*lines, f"    {name(State.STOPPED)} --> [*]", "```"])


DRAWINGS: dict[str, Callable[[], str]] = {
    "files": files,
    "imports": imports,
    "threads": threads,
    "lifecycle": lifecycle,
}


def redrawn(text: str) -> str:
    """The document with everything between its marks drawn anew."""
    for name, draw in DRAWINGS.items():
        marked = re.search(rf"<!-- drawn: {name} -->\n(.*?)<!-- end -->", text, re.DOTALL)
        if not marked:
            raise ValueError(f"ARCHITECTURE.md has no place for {name}")
        text = f"{text[: marked.start(1)]}{draw()}\n{text[marked.end(1) :]}"
    return text


def main() -> int:
    """Exit 1 with --check where the document is not what the code says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    arguments = parser.parse_args()
    before = DOCUMENT.read_text()
    after = redrawn(before)
    if arguments.check:
        return int(before != after)
    DOCUMENT.write_text(after)
    return 0


if __name__ == "__main__":
    sys.exit(main())
