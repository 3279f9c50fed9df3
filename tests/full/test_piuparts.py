"""Debian's own judge of installation and removal finds nothing: piuparts, in a Debian 13 with what both need."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig import deb, registries
from tests.rig.booted import PYTHON_LIBRARIES
from tests.rig.booted_root import archive
from tests.rig.cleanroot import STORE

# What apt and dpkg do there for any package at all.
IGNORED = ("/var/cache/debconf/tmp.ci.*", r"/var/lib/dpkg/info/(?!ingestd).*\.list")
WHOLE = "path-include=/usr/share/doc/ingestd*/*\npath-include=/usr/share/man/*ingest*\n"
# There is no older version in the mirror to upgrade from.
OPTIONS = ("--skip-minimize", "--no-eatmydata", "--no-upgrade-test", "--do-not-verify-signatures")

pytestmark = [pytest.mark.full, pytest.mark.root, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    """A Debian 13 that leaves out nothing of ingestd, when it is installed there."""
    if reason := deb.why_not():
        pytest.skip(reason)
    if not shutil.which("piuparts"):
        pytest.skip("needs piuparts")
    libraries = archive((*PYTHON_LIBRARIES, *deb.needs("ingestd-broker")))
    with tempfile.TemporaryDirectory(prefix=f"in-use-{os.getpid()}-piuparts-", dir=STORE) as folder:
        path = Path(folder)
        subprocess.run(["tar", "-xf", libraries, "-C", path, "--numeric-owner"], check=True)
        (path / "etc/dpkg/dpkg.cfg.d/zz-whole").write_text(WHOLE)
        (path / "etc/apt/apt.conf.d/99as-the-host").write_text(registries.apt_settings())
        yield path


@pytest.mark.parametrize("name", ["ingestd", "ingestd-broker"])
@pytest.mark.parametrize("way", [[], ["--install-remove-install"], ["--install-purge-install"]], ids=" ".join)
def test_piuparts_finds_nothing_left(root: Path, way: list[str], name: str) -> None:
    mirror = ["--distribution", "trixie", "--mirror", f"{registries.debian_mirror()} main"]
    ignored = [f"--ignore-regex={pattern}" for pattern in IGNORED]
    done = subprocess.run(
        [
            "piuparts",
            *OPTIONS,
            *way,
            *mirror,
            *ignored,
            "--existing-chroot",
            root,
            "--tmpdir",
            STORE,
            deb.built(name=name),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert "inadequate" not in done.stdout
    assert re.findall(r"^  /\S*ingest\S* -> ", done.stdout, re.MULTILINE) == [], "links that lead nowhere"
