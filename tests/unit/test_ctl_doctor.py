"""ingestctl doctor before its first check."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ingestd.ctl.main import main


def refused(folder: Path, bundle: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What it complains of; nothing was looked at."""
    arguments = ("--config", str(folder / "none.yaml"), "--no-session", "--bundle", str(bundle))
    assert main(["--socket", str(folder / "none"), "doctor", *arguments]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    return said.err


def test_where_the_file_can_go_is_asked_before_the_checks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"there is no folder {tmp_path}/absent" in refused(tmp_path, tmp_path / "absent" / "x", capsys)
    (tmp_path / "file").write_text("")
    assert f"there is no folder {tmp_path}/file" in refused(tmp_path, tmp_path / "file" / "x", capsys)
    assert "is there already" in refused(tmp_path, tmp_path / "file", capsys)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert "is there already" in refused(tmp_path, tmp_path / "link", capsys)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_this_user_may_not_write_in_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shut = tmp_path / "shut"
    shut.mkdir(mode=0o500)
    assert f"may not write in {shut}" in refused(tmp_path, shut / "x", capsys)
