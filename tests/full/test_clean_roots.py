"""What the README promises a newcomer: a fresh Debian, a clone, one command."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig.cleanroot import CleanRoot, why_not
from tests.rig.figures import Figures

ROOT = Path(__file__).parents[2]
CLONE = "/srv/ingestd"

pytestmark = [pytest.mark.full, pytest.mark.alone, pytest.mark.root, pytest.mark.timeout(5400)]


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def clean(request: pytest.FixtureRequest) -> Iterator[CleanRoot]:
    """A root with nothing but git and sudo, and the clone in it."""
    if reason := why_not():
        pytest.skip(reason)
    with CleanRoot(request.param, ROOT) as root:
        assert root.run(["sh", "-c", "command -v python3 || command -v gcc"], timeout=60).returncode != 0
        root.clone(CLONE)
        yield root


def test_the_demo_is_the_first_command(clean: CleanRoot, figures: Figures) -> None:
    started = time.monotonic()
    done = clean.run(["sh", "-c", f"cd {CLONE} && scripts/demo --seconds 40 --json out/demo.json"], timeout=1500)
    assert done.returncode == 0, done.stdout
    figures.add(f"clean_{clean.suite}_clone_to_demo_s", time.monotonic() - started)
    result = json.loads((clean.path / CLONE.lstrip("/") / "out/demo.json").read_text())
    assert result["bounds"]
    assert [name for name, bound in result["bounds"].items() if not bound["met"]] == []


def test_the_tests_pass(clean: CleanRoot, figures: Figures) -> None:
    started = time.monotonic()
    done = clean.run(["sh", "-c", f"cd {CLONE} && scripts/test"], timeout=3000)
    assert done.returncode == 0, done.stdout
    figures.add(f"clean_{clean.suite}_tests_s", time.monotonic() - started)


def test_setup_finds_nothing_more_to_do(clean: CleanRoot) -> None:
    done = clean.run(["sh", "-c", f"cd {CLONE} && scripts/setup && scripts/setup"], timeout=1500)
    assert done.returncode == 0, done.stdout
    again = clean.run([f"{CLONE}/scripts/setup"], timeout=60)
    assert (again.returncode, again.stdout) == (0, "")
