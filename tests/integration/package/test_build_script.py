"""`scripts/build-deb` beside what it builds: its options, another build at the same time, its own end."""

from __future__ import annotations

import contextlib
import fcntl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig import deb
from tests.rig.process import end, spawn, wait_until

BUILD = deb.REPO / "scripts/build-deb"
LOCK = Path("/var/tmp/ingestd-build-0/lock")

pytestmark = [pytest.mark.root, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module", autouse=True)
def clean_root() -> None:
    """The root that is built in is there, so that a build says soon that it builds."""
    if reason := deb.why_not():
        pytest.skip(reason)
    deb.built()


class Build:
    """One that runs, called from another folder than its own."""

    def __init__(self, folder: Path, *words: str) -> None:
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self.process = spawn([BUILD, *words], stderr=log, cwd=folder)

    def said(self) -> str:
        return self._log.read_text()

    def wait_said(self, text: str) -> None:
        # Others may build before it, each for a quarter of a minute and more.
        wait_until(lambda: text in self.said(), 300, f"{text!r} from build-deb")


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    build = Build(tmp_path, "--out", "some/where")
    yield build
    end(build.process, 30)


@pytest.mark.parametrize("words", [["--out"], ["--out", ""], ["--out", "--lintian"], ["--put"], ["dist"]], ids=" ".join)
def test_a_wrong_option_is_told_and_nothing_is_built(tmp_path: Path, words: list[str]) -> None:
    done = subprocess.run([BUILD, *words], cwd=tmp_path, capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert done.stderr.startswith(("build-deb: --out needs a folder", "build-deb: unknown argument"))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_can_not_be_made_is_told_at_once(tmp_path: Path) -> None:
    done = subprocess.run([BUILD, "--out", "/dev/null/out"], cwd=tmp_path, capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert "/dev/null" in done.stderr


def below(pid: int) -> list[Path]:
    """All processes below one, as folders of /proc."""
    try:
        children = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [Path(f"/proc/{child}") for child in children] + [path for child in children for path in below(child)]


def test_a_build_that_is_ended_ends_all_it_runs_and_leaves_nothing(tmp_path: Path, build: Build) -> None:
    def roots() -> set[Path]:
        """Where what it runs is at home, when that is no longer this system: the root that it unpacked."""
        found = set()
        for process in below(build.process.pid):
            with contextlib.suppress(OSError):
                found.add((process / "root").readlink())
        return {path for path in found if "mmdebstrap" in path.name}

    build.wait_said("building")
    assert (tmp_path / "some/where").is_dir(), "the caller's folder"
    (root,) = wait_until(roots, 120, "what runs in the unpacked root", every=0.1)
    processes = below(build.process.pid)
    (work,) = {(process / "fd/1").readlink().parent for process in processes[:1]}
    assert (root.is_dir(), work.is_dir()) == (True, True)
    build.process.terminate()
    assert build.process.wait(20) == 143
    wait_until(lambda: not any(path.exists() for path in (*processes, root, work)), 20, "nothing left of it")
    with LOCK.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)


def test_that_it_waits_for_another_is_said(tmp_path: Path) -> None:
    with LOCK.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        build = Build(tmp_path)
        build.wait_said("waiting for another build")
        build.process.terminate()
        build.process.wait(20)
    assert "building" not in build.said()
