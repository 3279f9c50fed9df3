"""What the package leaves out of the modules is never more than documentation."""

from __future__ import annotations

import dis
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import CodeType, ModuleType

import pytest

REPO = Path(__file__).parents[2]
SCRIPT = REPO / "debian/blank-prose"
JUMPS = {*dis.hasjrel, *dis.hasjabs}
MODULES = sorted((REPO / "ingestd").rglob("*.py"))


def load() -> ModuleType:
    """The script as a module."""
    loader = SourceFileLoader("blank_prose", str(SCRIPT))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The script, which leaves no compiled copy of itself in the package's folder."""
    before, sys.pycache_prefix = sys.pycache_prefix, str(tmp_path_factory.mktemp("compiled"))
    try:
        return load()
    finally:
        sys.pycache_prefix = before


def parts(code: CodeType) -> list[CodeType]:
    """All functions in a code, itself first."""
    inner = [part for constant in code.co_consts if isinstance(constant, CodeType) for part in parts(constant)]
    return [code, *inner]


def steps(code: CodeType) -> list[tuple[str, object, int | None]]:
    """What a function does, and on which lines; without what shifts: jumps' targets, and the docstring's own NOP."""
    return [
        (step.opname, None if step.opcode in JUMPS or isinstance(step.argval, CodeType) else step.argval, line(step))
        for step in dis.get_instructions(code)
        if step.opname != "NOP"
    ]


def line(step: dis.Instruction) -> int | None:
    """The line of the source that a step stands on."""
    return step.positions.lineno if step.positions else None


def test_every_module_keeps_its_names_and_the_lines_that_do_something(script: ModuleType) -> None:
    saved = 0
    for path in MODULES:
        source = path.read_bytes()
        result = script.blanked(source)
        saved += len(source) - len(result)
        before, after = (parts(compile(text, path.name, "exec", optimize=2)) for text in (source, result))
        assert [part.co_name for part in before] == [part.co_name for part in after], path
        for one, other in zip(before[1:], after[1:], strict=True):
            # A class ends on its last line, be that a docstring's: its return is on another.
            assert steps(one)[:-2] == steps(other)[:-2], (path, one.co_name)
    assert saved > 100 * 1024


@pytest.mark.parametrize(
    ("source", "result"),
    [
        (b'"""Doc."""\nx = 1\n', b"\nx = 1\n"),
        (b'def f():\n    """Doc\n    of lines.\n    """\n    return 1\n', b"def f():\n\n\n\n    return 1\n"),
        (b'class A:\n    x = 1\n    """Of x."""\n', b"class A:\n    x = 1\n\n"),
        (b'def f():\n    """Nothing else."""\n', None),
        (b'class E(Exception):\n    """Nothing else."""\n', None),
        (b'@dataclass\nclass A:\n    """Python would make one."""\n    x: int\n', None),
        (b'def f(): """Doc."""; return 1\n', None),
        (b'x = """No doc."""\ny = 1\n', None),
        (b'def f():\n    """Doc.""" # why\n    return 1\n', b'def f():\n    """Doc."""\n    return 1\n'),
        (b"#!/bin/x\n# why\nx = 1  # so\n", b"#!/bin/x\n\nx = 1\n"),
        (b'x = "# no comment"\ny = [\n    1,  # one\n]\n', b'x = "# no comment"\ny = [\n    1,\n]\n'),
        ('x = "ä"  # ö\n'.encode(), 'x = "ä"\n'.encode()),
    ],
)
def test_what_goes_and_what_stays(script: ModuleType, source: bytes, result: bytes | None) -> None:
    assert script.blanked(source) == (source if result is None else result)


def test_a_folder_without_modules_is_a_mistake(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, SCRIPT, tmp_path], capture_output=True, text=True)
    assert done.returncode == 1
    assert "no module below" in done.stderr
