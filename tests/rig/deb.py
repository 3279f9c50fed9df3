"""The Debian packages of this tree, as `scripts/build-deb` builds them."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tests.rig import cleanroot
from tests.rig.cleanroot import STORE

REPO = Path(__file__).parents[2]
_SOURCES = ("debian", "etc", "ingestd", "systemd", "LICENSE", "pyproject.toml", "setup.cfg", "scripts")
_KEEP_S = 7 * 24 * 3600
_LAYOUT = "DEBS sources/"  # of what is kept: what a run of older tests left is not taken for this

why_not = cleanroot.why_not


def built(version: str | None = None, changes: Mapping[str, str] | None = None, *, name: str = "ingestd") -> Path:
    """The package (…/NAME_VERSION_all.deb), built once for a state of the tree.

    Of another version where asked; `changes`: files of it that are others, or more, by their path in the tree. Raises
    RuntimeError with the build's output where it fails. For parallel test workers too: one builds, all wait.
    """
    files = _files(version, changes or {})
    folder = STORE / "packages" / _state(files)
    STORE.mkdir(parents=True, exist_ok=True)
    with (STORE / "packages.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _forget_old()
        if not folder.exists():
            _build(files, folder)
    return next(folder.glob(f"{name}_*.deb"))


def sources(package: Path) -> Path:
    """What `built` made that package of: a folder as the tree's root was."""
    return package.parent / "sources"


def _files(version: str | None, changes: Mapping[str, str]) -> dict[str, tuple[bytes, int]]:
    """What the package is made of, and how: content and mode of each file."""
    paths = []
    for name in _SOURCES:
        path = REPO / name
        paths += [path] if path.is_file() else sorted(path.rglob("*"))
    files = {
        str(path.relative_to(REPO)): (path.read_bytes(), path.stat().st_mode)
        for path in paths
        if path.is_file() and "__pycache__" not in path.parts
    }
    changed = dict(changes)
    if version is not None:
        changed["debian/changelog"] = re.sub(r"\(.*?\)", f"({version})", text_of("debian/changelog"), count=1)
        changed["ingestd/__init__.py"] = re.sub(r'(?<=__version__ = ").*(?=")', version, text_of("ingestd/__init__.py"))
    return files | {path: (text.encode(), files.get(path, (b"", 0o644))[1]) for path, text in changed.items()}


def text_of(path: str) -> str:
    """A file of this tree."""
    return (REPO / path).read_text()


def needs(name: str) -> list[str]:
    """What a package of this tree depends on of Debian, by names."""
    (stanza,) = re.findall(rf"^Package: {name}$\n(.*?)(?:\n\n|\Z)", text_of("debian/control"), re.MULTILINE | re.DOTALL)
    (depends,) = re.findall(r"^Depends:\n((?: .*\n)+)", stanza, re.MULTILINE)
    return re.findall(r"^ ([a-z0-9.+-]+)", depends, re.MULTILINE)


def _state(files: Mapping[str, tuple[bytes, int]]) -> str:
    digest = hashlib.sha256(_LAYOUT.encode())
    for path, (content, mode) in sorted(files.items()):
        digest.update(f"{path} {mode:o} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


def _build(files: Mapping[str, tuple[bytes, int]], folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=f"in-use-{os.getpid()}-deb-", dir=STORE) as scratch:
        tree, out = Path(scratch, "tree"), Path(scratch, "out")
        for path, (content, mode) in files.items():
            copy = tree / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(content)
            copy.chmod(mode)
        done = subprocess.run(
            [tree / "scripts/build-deb", "--out", out], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if done.returncode:
            raise RuntimeError(f"scripts/build-deb failed:\n{done.stdout}")
        tree.rename(out / "sources")
        folder.parent.mkdir(exist_ok=True)
        out.rename(folder)


def _forget_old() -> None:
    for folder in STORE.glob("packages/*"):
        if time.time() - folder.stat().st_mtime > _KEEP_S:
            shutil.rmtree(folder)
