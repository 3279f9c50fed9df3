"""The journal's catalog says of every fault what the daemon itself says, and systemd can read it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ingestd.core.catalog import every_entry, message_id
from tests.drawings.catalog import CATALOG, drawn


def test_it_is_what_the_texts_say() -> None:
    assert CATALOG.read_text() == drawn(), "run `python -m tests.drawings.catalog`"


def test_every_fault_has_its_entry() -> None:
    text = drawn()
    assert re.findall(r"^-- ([0-9a-f]{32})$", text, re.MULTILINE) == [message_id(name) for name, _, _ in every_entry()]
    assert "{" not in text
    assert max(len(line) for line in text.splitlines() if not line.startswith("Subject: ")) < 100


def test_a_subject_says_what_it_is_about() -> None:
    subjects = re.findall(r"^Subject: ingestd: (.*)$", drawn(), re.MULTILINE)
    assert len(subjects) == len(every_entry())
    assert "The device has no working DNS, or there is no such name" in subjects
    assert "What answers is not the service" in subjects
    assert max(map(len, subjects)) <= 90
    assert all(" " in subject and subject[0].isupper() and subject[-1] not in ".,;:" for subject in subjects)


@pytest.mark.skipif(shutil.which("journalctl") is None, reason="needs systemd's journalctl")
def test_systemd_takes_it(tmp_path: Path) -> None:
    folder = tmp_path / "usr/lib/systemd/catalog"
    folder.mkdir(parents=True)
    (tmp_path / "var/lib/systemd/catalog").mkdir(parents=True)
    shutil.copy(CATALOG, folder)
    root = f"--root={tmp_path}"
    told = subprocess.run(["journalctl", root, "--update-catalog"], capture_output=True, text=True, check=True)
    assert told.stderr == ""
    listed = subprocess.run(["journalctl", root, "--list-catalog"], capture_output=True, text=True, check=True).stdout
    assert len(listed.splitlines()) == len(every_entry())
    for name, _, _ in every_entry():
        assert f"{message_id(name)} ingestd: ingestd: " in listed
    shown = subprocess.run(
        ["journalctl", root, "--dump-catalog", message_id("token-missing")], capture_output=True, text=True, check=True
    ).stdout
    assert "Write the token alone into the file that backend.token_file names" in " ".join(shown.split())
