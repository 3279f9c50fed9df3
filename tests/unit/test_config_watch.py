"""A token that somebody renewed is noticed however it was put there, and nothing else is."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from ingestd.config.watch import EVERY_S, FileWatch
from tests.unit.descriptors import left_open, open_descriptors

OLD = "old token\n"
NEW = "new token\n"


class Watched:
    """A watch that is asked in good time, until what it saw has settled."""

    def __init__(self, path: Path) -> None:
        self.watch = FileWatch(path)
        self.now_s = 1000.0

    def look(self) -> bool:
        self.now_s += EVERY_S
        return self.watch.changed(self.now_s)

    def changed(self) -> bool:
        """Two looks; a change is told by the second."""
        assert not self.look(), "told before it had settled"
        return self.look()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "secrets").mkdir()
    path = tmp_path / "secrets/token"
    path.write_text(OLD)
    return path


def in_place(path: Path, text: str) -> None:
    path.write_text(text)


def by_rename(path: Path, text: str) -> None:
    beside = path.with_name("new")
    beside.write_text(text)
    beside.replace(path)


def anew(path: Path, text: str) -> None:
    path.unlink()
    path.write_text(text)


def by_folder(path: Path, text: str) -> None:
    """The folder above is another one all at once."""
    other = path.parent.with_name("other")
    other.mkdir()
    (other / path.name).write_text(text)
    path.parent.rename(path.parent.with_name("old"))
    other.rename(path.parent)


WAYS = [in_place, by_rename, anew, by_folder]


@pytest.mark.parametrize("way", WAYS)
def test_a_new_token_is_told_once(path: Path, way: Callable[[Path, str], None]) -> None:
    watched = Watched(path)
    assert not watched.changed()
    way(path, NEW)
    assert watched.changed()
    assert not watched.changed()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("text", [OLD, OLD.strip(), f"\n{OLD}\n"])
def test_the_same_token_written_again_is_no_change(path: Path, way: Callable[[Path, str], None], text: str) -> None:
    watched = Watched(path)
    way(path, text)
    assert not watched.changed()


@pytest.mark.parametrize("way", [in_place, by_rename])
def test_another_token_of_the_same_length_and_time_is_told(path: Path, way: Callable[[Path, str], None]) -> None:
    watched = Watched(path)
    status = path.stat()
    way(path, NEW)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert watched.changed()


def test_a_token_that_could_not_be_read_for_a_moment_is_told_later(path: Path) -> None:
    watched = Watched(path)
    path.write_text(NEW)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        assert not watched.changed()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert watched.changed()


def test_a_link_that_points_elsewhere_is_told(tmp_path: Path) -> None:
    for name, text in (("1", OLD), ("2", NEW)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "token").write_text(text)
    (tmp_path / "data").symlink_to("1")
    (tmp_path / "token").symlink_to("data/token")
    watched = Watched(tmp_path / "token")
    (tmp_path / "next").symlink_to("2")
    (tmp_path / "next").replace(tmp_path / "data")
    assert watched.changed()
    assert not watched.changed()


def test_a_token_that_comes_is_told_and_one_that_goes_is_not(path: Path) -> None:
    path.unlink()
    watched = Watched(path)
    assert not watched.changed()
    path.write_text(OLD)
    assert watched.changed()
    path.unlink()
    assert not watched.changed()
    path.write_text(OLD)
    assert watched.changed(), "without it sessions failed: time to try"


def test_a_file_that_was_only_just_emptied_is_waited_for(path: Path) -> None:
    watched = Watched(path)
    for text in ("", "\n \n"):
        path.write_text(text)
        assert not watched.changed()
    path.write_text(NEW)
    assert watched.changed()


def test_half_a_token_is_never_told(path: Path) -> None:
    """As a shell writes it in place: the file is there before all of its bytes are."""
    watched = Watched(path)
    path.write_text("")
    assert not watched.look()
    path.write_text(NEW[:3])
    assert not watched.look()
    path.write_text(NEW)
    assert not watched.look()
    assert watched.look()
    assert not watched.changed()


def test_the_old_token_put_back_before_the_new_one_settled_is_no_change(path: Path) -> None:
    watched = Watched(path)
    path.write_text(NEW)
    assert not watched.look()
    path.write_text(OLD)
    assert not watched.look()
    assert not watched.changed()


def test_a_token_written_anew_all_the_time_is_told_all_the_same(path: Path) -> None:
    watched = Watched(path)
    path.write_text(NEW)
    assert not watched.look()
    path.write_text(NEW)
    assert watched.look()


def test_a_folder_that_comes_later(tmp_path: Path) -> None:
    watched = Watched(tmp_path / "mnt/token")
    assert not watched.changed()
    (tmp_path / "mnt").mkdir()
    assert not watched.changed()
    (tmp_path / "mnt/token").write_text(NEW)
    assert watched.changed()


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: os.symlink(path, path)])
def test_what_cannot_be_read_is_not_waited_for_and_no_crash(path: Path, make: Callable[[Path], None]) -> None:
    watched = Watched(path)
    path.unlink()
    make(path)
    assert not watched.changed()
    assert not watched.changed()
    before = open_descriptors()
    assert not watched.changed()
    assert not left_open(before)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_token_that_becomes_readable_is_told(path: Path) -> None:
    path.chmod(0)
    watched = Watched(path)
    assert not watched.changed()
    path.chmod(0o600)
    assert watched.changed()


def test_the_disk_is_left_alone_between_two_looks(path: Path) -> None:
    watch = FileWatch(path)
    assert not watch.changed(10.0)
    path.write_text(NEW)
    assert not watch.changed(10.0 + EVERY_S / 2)
    assert not watch.changed(10.0 + EVERY_S)
    assert not watch.changed(10.0 + 1.5 * EVERY_S)
    assert watch.changed(10.0 + 2 * EVERY_S)


def test_the_token_is_not_kept(path: Path) -> None:
    path.write_text("s3cret")
    watch = FileWatch(path)
    assert "s3cret" not in repr(vars(watch))
    assert vars(watch)["_content"] != vars(FileWatch(path))["_content"], "salted"
