"""The package as it is built: the same under any circumstances, without a fault that lintian knows, and not large."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.rig import deb
from tests.rig.figures import Figures

OTHER_CIRCUMSTANCES = {
    "TZ": "Pacific/Kiritimati",
    "LC_ALL": "C",
    "LANGUAGE": "tr",
    "SOURCE_DATE_EPOCH": "1000000000",
    "DEB_BUILD_OPTIONS": "nostrip parallel=7",
    "PYTHONOPTIMIZE": "2",
    "USER": "somebody",
}
LARGEST_KIB = 1024
HELD = """
    /etc/ingestd/conf.d/
    /usr/bin/ingestctl
    /usr/bin/ingestd
    /usr/bin/ingestd-hooks
    /usr/lib/systemd/catalog/ingestd.catalog
    /usr/lib/systemd/system/ingestd-hooks.service
    /usr/lib/systemd/system/ingestd.service
    /usr/lib/sysusers.d/ingestd.conf
    /usr/share/bash-completion/completions/ingestctl
    /usr/share/bash-completion/completions/ingestd -> ingestctl
    /usr/share/bash-completion/completions/ingestd-hooks -> ingestctl
    /usr/share/doc/ingestd/README.Debian
    /usr/share/doc/ingestd/changelog.gz
    /usr/share/doc/ingestd/copyright
    /usr/share/doc/ingestd/examples/grafana/ingestd.json.gz
    /usr/share/doc/ingestd/examples/ingestd-hooks.service.d/gpio.conf.example
    /usr/share/doc/ingestd/examples/ingestd.service.d/credential.conf.example
    /usr/share/doc/ingestd/examples/ingestd.service.d/realtime.conf.example
    /usr/share/doc/ingestd/examples/prometheus/ingestd-hooks.rules.yaml
    /usr/share/doc/ingestd/examples/prometheus/ingestd.rules.yaml.gz
    /usr/share/doc/ingestd/examples/prometheus/scrape.yaml
    /usr/share/ingestd/ingestd.yaml
    /usr/share/man/man1/ingestctl.1.gz
    /usr/share/man/man5/ingestd.yaml.5.gz
    /usr/share/man/man8/ingestd-hooks.8.gz
    /usr/share/man/man8/ingestd.8.gz
"""
"""Everything in it beside the modules."""
MODULES = "/usr/lib/python3/dist-packages/ingestd"

pytestmark = [pytest.mark.root, pytest.mark.timeout(1200), pytest.mark.undisturbed]


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """This tree's, and one of a copy, other in times, modes, order and settings; what the second said, judged."""
    if reason := deb.why_not():
        pytest.skip(reason)
    first = deb.built()
    folder = tmp_path_factory.mktemp("elsewhere")
    for source in sorted(deb.sources(first).iterdir(), reverse=True):
        if source.is_dir():
            shutil.copytree(source, folder / source.name, copy_function=shutil.copyfile)
        else:
            shutil.copyfile(source, folder / source.name)
    build = folder / "scripts/build-deb"
    done = subprocess.run(
        ["sh", "-c", 'umask 077; exec bash "$@"', "sh", build, "--lintian", "--out", folder / "out"],
        env=os.environ | OTHER_CIRCUMSTANCES,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return first, next((folder / "out").glob("ingestd_*.deb"), folder), done.stdout


def test_the_same_sources_make_the_same_packages(builds: tuple[Path, Path, str]) -> None:
    """This one, and the broker's."""
    *packages, said = builds
    assert packages[1].suffix == ".deb", said
    once, again = (
        {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in package.parent.glob("*.deb")}
        for package in packages
    )
    assert once == again
    assert len(once) == 2


def test_lintian_finds_nothing_at_all(builds: tuple[Path, Path, str]) -> None:
    said = builds[-1]
    assert "lintian found nothing" in said, said


def test_it_is_not_large(builds: tuple[Path, Path, str], figures: Figures) -> None:
    shown = subprocess.run(["dpkg-deb", "--field", builds[0], "Installed-Size"], capture_output=True, text=True)
    assert figures.add("deb_installed_size_kib", int(shown.stdout), max=LARGEST_KIB)


def test_the_unit_names_a_document_that_is_there(builds: tuple[Path, Path, str]) -> None:
    """Debian compresses what is larger than 4 KiB, and it would be under another name then."""
    unit = (deb.sources(builds[0]) / "systemd/ingestd.service").read_text()
    (document,) = re.findall(r"file://(/usr/share/doc/\S+)", unit)
    held = subprocess.run(["dpkg-deb", "--contents", builds[0]], capture_output=True, text=True).stdout.split()
    assert f".{document}" in held


def test_it_holds_all_that_belongs_to_it_and_nothing_else(builds: tuple[Path, Path, str]) -> None:
    listed = subprocess.run(["dpkg-deb", "--contents", builds[0]], capture_output=True, text=True).stdout
    paths = [line.split(None, 5)[5].removeprefix(".") for line in listed.splitlines()]
    # A folder is named where nothing is in it.
    alone = [path for path in paths if not (path.endswith("/") and sum(other.startswith(path) for other in paths) > 1)]
    others = [path for path in alone if not path.startswith(MODULES)]
    assert sorted(others) == sorted(line.strip() for line in HELD.strip().splitlines())
    modules = {path.removeprefix(f"{MODULES}/") for path in alone if path.startswith(f"{MODULES}/")}
    tree = deb.sources(builds[0]) / "ingestd"
    names = {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()}
    assert modules == {name for name in names if not name.startswith("broker/")}, "which has a package of its own"
