"""What keeps a service's user from a file: named by the first thing in the way, with what helps."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestd.system import access
from ingestd.system.access import Reader, hindrance, hindrances, reader_of
from ingestd.system.user import User
from tests.unit.doctor_case import folder_for_all

NOBODY = Reader(User("nobody", 65534, 65534, (65534,), "/"))

pytestmark = pytest.mark.root


@pytest.fixture
def folder() -> Iterator[Path]:
    with folder_for_all() as found:
        yield found


def test_what_may_be_read_is_in_nobodys_way(folder: Path) -> None:
    (folder / "file").write_text("")
    assert hindrances(NOBODY, [folder, folder / "file"]) == []


def test_where_there_is_no_such_user_nothing_is_known(folder: Path) -> None:
    folder.chmod(0o700)
    assert hindrance(Reader(None), folder) is None


def test_a_folder_above_is_named_once(folder: Path) -> None:
    closed = folder / "it's closed"
    closed.mkdir(mode=0o700)
    for name in "ab":
        (closed / name).write_text("")
    (one,) = hindrances(NOBODY, [closed, closed / "a", closed / "b"])
    assert one.what == f"nobody, whom the service runs as, may not read {closed}"
    found = hindrance(NOBODY, closed / "a")
    assert found is not None
    assert found.what == f"nobody, whom the service runs as, may not enter {closed}, so it can't read {closed / 'a'}"
    for command in (one.remedy, found.remedy):
        closed.chmod(0o700)
        os.system(command)  # as a person would copy it, quotes and all
        assert hindrance(NOBODY, closed / "a") is None


def test_a_folder_above_all_of_them_is_named_once(folder: Path) -> None:
    for name in "ab":
        (folder / name).write_text("")
    folder.chmod(0o700)
    assert len(hindrances(NOBODY, [folder / "a", folder / "b"])) == 1


def test_a_link_into_a_closed_folder(folder: Path) -> None:
    (folder / "closed").mkdir(mode=0o700)
    (folder / "closed/token").write_text("t")
    (folder / "token").symlink_to("closed/token")
    found = hindrance(NOBODY, folder / "token")
    assert found is not None
    assert f"may not enter {folder / 'closed'}" in found.what
    assert found.remedy == f"put the file itself at {folder / 'token'}, which is a link to {folder / 'closed/token'}"


def test_what_the_units_sandbox_hides(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "_HOMES", (folder / "home",))
    (folder / "home").mkdir()
    (folder / "home/token").write_text("t")
    (folder / "token").symlink_to("home/token")
    assert hindrance(NOBODY, folder / "token") is None
    found = hindrance(NOBODY._replace(sees_homes=False), folder / "token")
    assert found is not None
    assert f"sees nothing below {folder / 'home'} (ProtectHome= of its unit)" in found.what
    assert found.remedy.startswith(f"put the file itself at {folder / 'token'}")


def test_a_dynamic_user_reads_by_its_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "properties_of", lambda _unit, _names: {"User": "not-there-now", "ProtectHome": "yes"})
    reader = reader_of("some.service", "some", "audio")
    assert reader.user is not None
    assert (reader.user.name, reader.sees_homes) == ("not-there-now", False)
    assert reader.user.groups == (reader.user.gid,)
    assert reader_of("some.service", "some", "no-such-group").user is None


def test_who_is_no_root_can_not_tell(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.chmod(0o700)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert hindrance(NOBODY, folder) is None
