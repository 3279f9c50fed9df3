"""What ingestd-broker's package ships and needs, as far as its lists can be held to what the broker imports."""

from __future__ import annotations

import configparser
import re

from tests.rig.deb import text_of
from tests.unit.importing import FILES, ROOT, foreign, modules, ours

PRIVATE = "usr/share/ingestd-broker"
PACKAGES = {
    "pyjwt": "python3-jwt",
    "psycopg2-binary": "python3-psycopg2",
    "prometheus_client": "python3-prometheus-client",
    "pyyaml": "python3-yaml",
}
"""Debian's names of libraries where they are not python3-NAME."""
IMPORTED_AS = {"jwt": "python3-jwt", "prometheus_client": "python3-prometheus-client"}


def reached() -> set[str]:
    """Every module that the broker imports, directly or not, with the packages they are in."""
    found: set[str] = set()
    waiting = modules("ingestd.broker")
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += ours(module)
            package = module.rpartition(".")[0]
            if package:
                # What a package's own module imports lazily is asked for by nobody here.
                found.add(package)
    return found


def shipped() -> dict[str, str]:
    """Where each source goes, by the package's list: files and whole folders of this tree."""
    return dict(line.split() for line in text_of("debian/ingestd-broker.install").splitlines())


def stanza() -> str:
    return text_of("debian/control").split("\nPackage: ingestd-broker\n")[1]


def test_its_modules_are_those_that_it_imports_and_no_other() -> None:
    listed = {source: target for source, target in shipped().items() if source.startswith("ingestd")}
    wanted = {str(FILES[module].relative_to(ROOT)) for module in reached()}
    beside = {source for source in wanted if not source.startswith("ingestd/broker/")}
    assert set(listed) == {*beside, "ingestd/broker"}
    for source, target in listed.items():
        assert target == f"{PRIVATE}/{source.rpartition('/')[0]}", "where Python finds it under that name"


def test_its_bounds_are_those_of_the_extra() -> None:
    """Every library of setup.cfg's extra is needed or recommended, in the version that is the least there."""
    config = configparser.ConfigParser()
    config.read_string(text_of("setup.cfg"))
    extra = re.findall(r"^([\w-]+) >=([\d.]+)", config["options.extras_require"]["broker"], re.MULTILINE)
    bounds = {PACKAGES.get(name, f"python3-{name}"): bound for name, bound in extra}
    listed = dict(re.findall(r"^ (python3-[\w-]+) \(>= ([\d.]+)\),$", stanza(), re.MULTILINE))
    assert listed == bounds


def test_it_needs_each_library_that_is_imported() -> None:
    libraries = {library for module in reached() for library in foreign(module)} - {"yaml"}
    needed = re.findall(r"^ (python3-[\w-]+)", stanza().split("Recommends:")[0], re.MULTILINE)
    assert {IMPORTED_AS.get(library, f"python3-{library}") for library in libraries} | {"python3-yaml"} == set(needed)
