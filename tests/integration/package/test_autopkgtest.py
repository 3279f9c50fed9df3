"""The packages' own tests (debian/tests) pass as Debian runs them: autopkgtest, on the very system it runs on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.rig import deb
from tests.rig.booted import PYTHON_LIBRARIES, Booted, why_not

REPO = Path(__file__).parents[3]
TOOLS = ("autopkgtest", "dpkg-dev")
SOURCE = "/srv/source"

pytestmark = [pytest.mark.root, pytest.mark.timeout(1200)]


def test_the_packages_own_tests_pass() -> None:
    if reason := why_not() or deb.why_not():
        pytest.skip(reason)
    packages = [deb.built(), deb.built(name="ingestd-broker")]
    with Booted((*PYTHON_LIBRARIES, *deb.needs("ingestd-broker"), *TOOLS)) as machine:
        machine.bind(REPO / "debian", f"{SOURCE}/debian")
        for package in packages:
            machine.bind(package, f"/srv/{package.name}")
        machine.boot()
        files = [f"/srv/{package.name}" for package in packages]
        done = machine.run("autopkgtest", *files, f"{SOURCE}/", "--", "null", timeout_s=600)
        said = done.stdout + done.stderr
    results = dict(re.findall(r"^(commands|service|broker) +(\w+)", said, re.MULTILINE))
    assert results == {"commands": "PASS", "service": "PASS", "broker": "PASS"}, said
    # A superficial one that passes alone would be 8; with the other it is 0.
    assert done.returncode == 0, said
