"""The broker's package as it is built: what it holds, that it is not large, and runs without the daemon's."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig import deb
from tests.rig.booted import Booted, why_not
from tests.rig.figures import Figures

NAME = "ingestd-broker"
LARGEST_KIB = 768
HELD = """
    /usr/bin/ingestd-broker
    /usr/lib/systemd/system/ingestd-broker-prune.service
    /usr/lib/systemd/system/ingestd-broker-prune.timer
    /usr/lib/systemd/system/ingestd-broker.service
    /usr/lib/sysusers.d/ingestd-broker.conf
    /usr/share/doc/ingestd-broker/README.Debian
    /usr/share/doc/ingestd-broker/changelog.gz
    /usr/share/doc/ingestd-broker/copyright
    /usr/share/doc/ingestd-broker/examples/broker.yaml
    /usr/share/doc/ingestd-broker/examples/ingestd-broker.service.d/port443.conf.example
    /usr/share/doc/ingestd-broker/examples/nginx/ingestd-broker.conf
    /usr/share/man/man8/ingestd-broker.8.gz
    /usr/share/python3/runtime.d/ingestd-broker.rtupdate
"""
"""Everything in it beside the modules."""
MODULES = "/usr/share/ingestd-broker"
# As the command finds them; the one that runs when it is imported is left out.
IMPORT_ALL = f"""
import importlib, pathlib, sys
sys.path.insert(0, "{MODULES}")
for path in sorted(pathlib.Path("{MODULES}").rglob("*.py")):
    name = ".".join(path.relative_to("{MODULES}").with_suffix("").parts)
    if not name.endswith(".__main__") and "migrations" not in name:
        importlib.import_module(name.removesuffix(".__init__"))
ours = [module for name, module in sys.modules.items() if name.partition(".")[0] == "ingestd"]
assert all(module.__file__.startswith("{MODULES}/") for module in ours)
print(len(ours))
"""

pytestmark = [pytest.mark.root, pytest.mark.timeout(1200), pytest.mark.undisturbed]


@pytest.fixture(scope="module")
def package() -> Path:
    """This tree's."""
    if reason := deb.why_not():
        pytest.skip(reason)
    return deb.built(name=NAME)


@pytest.fixture(scope="module")
def server(package: Path) -> Iterator[Booted]:
    """A Debian 13 that nobody boots, with what the package needs and nothing for sound; it is installed there."""
    if reason := why_not():
        pytest.skip(reason)
    with Booted(("python3", *deb.needs(NAME))) as machine:
        (machine.path / "srv" / package.name).write_bytes(package.read_bytes())
        machine.chroot("dpkg", "--install", f"/srv/{package.name}")
        yield machine


def test_it_holds_all_that_belongs_to_it_and_nothing_else(package: Path) -> None:
    listed = subprocess.run(["dpkg-deb", "--contents", package], capture_output=True, text=True).stdout
    paths = [line.split(None, 5)[5].removeprefix(".") for line in listed.splitlines()]
    files = [path for path in paths if not path.endswith("/")]
    assert [path for path in files if not path.startswith(f"{MODULES}/")] == HELD.split()
    tree = deb.sources(package)
    broker = {str(path.relative_to(tree)) for path in (tree / "ingestd/broker").rglob("*") if path.is_file()}
    held = {path.removeprefix(f"{MODULES}/") for path in files if path.startswith(f"{MODULES}/")}
    assert {path for path in held if path.startswith("ingestd/broker/")} == broker != set()


def test_it_is_not_large(package: Path, figures: Figures) -> None:
    shown = subprocess.run(["dpkg-deb", "--field", package, "Installed-Size"], capture_output=True, text=True)
    assert figures.add("broker_deb_installed_size_kib", int(shown.stdout), max=LARGEST_KIB)


def test_the_unit_names_a_document_that_is_there(package: Path) -> None:
    unit = (deb.sources(package) / "systemd/ingestd-broker.service").read_text()
    (document,) = re.findall(r"file://(/usr/share/doc/\S+)", unit)
    assert document in HELD.split()


def test_it_runs_on_what_it_needs_alone_from_modules_of_its_own(server: Booted) -> None:
    """Without the daemon, and without a library that the daemon needs."""
    command = ["chroot", str(server.path), "python3", "-c"]
    done = subprocess.run([*command, IMPORT_ALL], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20
    daemons = subprocess.run([*command, "import alsaaudio"], capture_output=True, text=True, timeout=60)
    assert "ModuleNotFoundError" in daemons.stderr
    version = subprocess.run([*command[:2], NAME, "--version"], capture_output=True, text=True, timeout=60)
    assert version.stdout == f"{NAME} {package_version(server)}\n", version.stderr


def package_version(server: Booted) -> str:
    """As dpkg has it."""
    command = ["chroot", str(server.path), "dpkg-query", "-W", "-f", "${Version}", NAME]
    return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
