"""What the README promises who packages: a clone on Debian 12 or 13, mmdebstrap, one command, the same package."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from tests.rig.cleanroot import CleanRoot, why_not

ROOT = Path(__file__).parents[2]
CLONE = "/srv/ingestd"
BUILD = f"cd {CLONE} && scripts/build-deb --lintian"
PREPARE = "apt-get -qq update && apt-get -qq -y install --no-install-recommends mmdebstrap >/dev/null"

pytestmark = [pytest.mark.full, pytest.mark.root, pytest.mark.timeout(1800)]


def run(root: CleanRoot, command: str) -> str:
    done = root.run(["sh", "-euc", command], timeout=900, env={"DEBIAN_FRONTEND": "noninteractive"})
    assert done.returncode == 0, done.stdout
    return done.stdout


def packages(suite: str, repository: Path) -> dict[str, str]:
    """Built there twice, the second time without a network: of each package the hash of both."""
    with CleanRoot(suite, repository) as root:
        root.clone(CLONE)
        refused = root.run(["sh", "-c", BUILD], timeout=60)
        assert (refused.returncode, "apt install mmdebstrap" in refused.stdout) == (1, True), refused.stdout
        run(root, PREPARE)
        first = run(root, BUILD)
        again = run(root, f"unshare --net sh -euc '{BUILD} --out /srv/again'")
        assert ("clean Debian root" in first, "clean Debian root" in again) == (True, False)
        folders = (root.path / CLONE.lstrip("/") / "dist", root.path / "srv/again")
        once, twice = (
            {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.deb")}
            for folder in folders
        )
        assert once == twice
        assert len(once) == 2
        return once


def test_debian_12_and_13_make_the_same_package(tmp_path: Path) -> None:
    if reason := why_not():
        pytest.skip(reason)
    repository = tmp_path / "repository"  # of one state, whatever is committed meanwhile
    subprocess.run(["git", "-c", "safe.directory=*", "clone", "-q", ROOT, repository], check=True)
    assert packages("bookworm", repository) == packages("trixie", repository)
