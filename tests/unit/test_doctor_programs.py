"""Other programs: their output, and that none of them is waited for long."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ingestd.system.programs import output_of, systemd_runs
from ingestd.system.user import User, may, user_named


def test_output_is_text_of_a_program_that_ended_well() -> None:
    assert output_of("printf", "a\\377b") == "a\ufffdb"
    assert output_of("sh", "-c", "echo told; exit 3") is None
    assert output_of("sh", "-c", "echo told; exit 3", failing=True) == "told\n"
    assert output_of("no-such-program-here") is None


def test_a_program_that_hangs_is_left() -> None:
    assert output_of("sleep", "60", timeout_s=0.05) is None


def test_systemd_is_where_its_folder_is(tmp_path: Path) -> None:
    assert systemd_runs(tmp_path)
    assert not systemd_runs(tmp_path / "absent")


def test_a_user_is_looked_up_with_further_groups() -> None:
    root = user_named("root", ["daemon", "no-such-group-here"])
    assert root is not None
    assert (root.uid, root.home) == (0, "/root")
    assert 1 in root.groups
    assert user_named("no-such-user-here") is None


@pytest.mark.root
def test_what_another_user_may_is_asked_of_the_kernel(tmp_path: Path) -> None:
    nobody = User("nobody", 65534, 65534, (65534,), "/")
    assert may(nobody, Path("/etc/passwd"), "r")
    assert not may(nobody, Path("/etc/passwd"), "w")
    assert not may(nobody, tmp_path, "r"), "only its owner enters the folders above"
    assert may(None, tmp_path, "w") == os.access(tmp_path, os.W_OK)
