"""ARCHITECTURE.md tells the truth wherever the code can be asked."""

from __future__ import annotations

import re

from tests.drawings.architecture import DOCUMENT, REPO, redrawn

AGAIN = "run `.venv/bin/python -m tests.drawings.architecture`"


def test_what_is_drawn_from_the_code_is_up_to_date() -> None:
    text = DOCUMENT.read_text()
    assert redrawn(text) == text, AGAIN


def test_every_file_it_names_exists() -> None:
    named = set(re.findall(r"`((?:ingestd|tests|scripts|etc|systemd|debian)/[\w./-]+)`", DOCUMENT.read_text()))
    assert named
    assert [path for path in sorted(named) if not (REPO / path).exists()] == []
