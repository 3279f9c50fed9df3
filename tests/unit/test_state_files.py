"""A state file is the old one or the new one, whole, and a disk that refuses is a warning."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

import pytest

from ingestd.system.state_files import state_directory, write_state
from tests.unit.descriptors import left_open, open_descriptors


def test_the_state_directory_is_the_first_that_systemd_made(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, expected in (("/var/lib/a", Path("/var/lib/a")), ("/x:/y", Path("/x")), ("", None), ("here", None)):
        monkeypatch.setenv("STATE_DIRECTORY", value)
        assert state_directory() == expected
    monkeypatch.delenv("STATE_DIRECTORY")
    assert state_directory() is None


@pytest.mark.parametrize("content", [b"", b"new\n", bytes(range(256)) * 5000])
def test_a_file_is_written_for_its_owner_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state"
    old = os.umask(0)
    try:
        assert write_state(path, b"old") is None
        assert write_state(path, content) is None
    finally:
        os.umask(old)
    assert path.read_bytes() == content
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["state"]


def test_the_same_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "state"
    write_state(path, b"same")
    before = path.stat()
    write_state(path, b"same")
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_the_content_is_on_disk_before_the_name_and_the_name_before_the_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state"
    steps: list[tuple[str, bytes | None]] = []
    fsync, replace = os.fsync, Path.replace

    def seen_fsync(descriptor: int) -> None:
        name = os.readlink(f"/proc/self/fd/{descriptor}")
        steps.append((Path(name).name, Path(name).read_bytes() if Path(name).is_file() else None))
        fsync(descriptor)

    def seen_replace(source: Path, target: Path) -> Path:
        steps.append(("rename", None))
        return replace(source, target)

    monkeypatch.setattr(os, "fsync", seen_fsync)
    monkeypatch.setattr(Path, "replace", seen_replace)
    write_state(path, b"new")
    assert steps == [(".state.new", b"new"), ("rename", None), (tmp_path.name, None)]


def test_what_a_power_cut_left_of_a_write_is_in_nobodys_way(tmp_path: Path) -> None:
    path = tmp_path / "state"
    (tmp_path / ".state.new").write_bytes(b"ha")
    (tmp_path / ".state.new").chmod(0o444)
    assert write_state(path, b"whole") is None
    assert path.read_bytes() == b"whole"
    assert os.listdir(tmp_path) == ["state"]


def test_a_folder_that_is_not_there_is_a_warning(tmp_path: Path) -> None:
    warning = write_state(tmp_path / "absent/state", b"x")
    assert warning is not None
    assert f"can't write {tmp_path}/absent/state: No such file or directory; " in warning


def test_a_disk_that_takes_only_half_is_a_warning_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "state"
    write_state(path, b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        warning = write_state(path, bytes(10_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert warning is not None
    assert "File too large" in warning
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["state"]


def test_a_file_that_cannot_be_put_in_place_leaves_the_old_one_and_no_rest(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/inside").touch()
    assert write_state(tmp_path / "state", b"x") is not None
    assert os.listdir(tmp_path) == ["state"]
    before = open_descriptors()
    write_state(tmp_path / "state", b"x")
    assert not left_open(before)
