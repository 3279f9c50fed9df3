"""The version has two homes, as Debian reads only its own."""

from __future__ import annotations

import re
from pathlib import Path

import ingestd

CHANGELOG = Path(__file__).parents[2] / "debian/changelog"


def test_the_package_s_changelog_begins_with_this_version() -> None:
    newest = re.match(r"ingestd \((.*?)\) ", CHANGELOG.read_text())
    assert newest is not None
    assert newest[1] == ingestd.__version__
