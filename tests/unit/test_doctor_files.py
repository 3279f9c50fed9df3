"""Configuration, certificates, state directory and what is kept there, as doctor sees them."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from ingestd.config.lastgood import LastGood
from ingestd.config.load import read_config
from ingestd.core.check import Verdict
from ingestd.doctor import files
from ingestd.doctor.situation import Wishes, look
from ingestd.system.state_files import write_state
from ingestd.system.user import User
from tests.unit.doctor_case import by_name, failed, folder_for_all, situation

NOBODY = User("nobody", 65534, 65534, (65534,), "/")


def test_every_fault_is_a_check_with_file_line_and_key(tmp_path: Path) -> None:
    path = tmp_path / "ingestd.yaml"
    path.write_text("backend: {url: http://example.com/}\nsesion: {}\naudio: {capture: {gain_db: loud}}\n")
    given = look(path, None, Wishes(), unit=lambda: None)
    checks = list(files.configuration(given))
    assert failed(checks) == ["configuration"] * 3
    for line, (check, key) in enumerate(zip(checks, ("backend.url", "sesion", "gain_db"), strict=True), 1):
        assert check.what.startswith(f"{path}:{line}: ")
        assert key in check.what
        assert check.remedy
    assert given.config is None


def test_a_broken_file_leaves_the_last_good_one_to_go_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    good = situation(tmp_path)
    LastGood(tmp_path, write_state).keep(read_config(good.path).tree)
    good.path.write_text("backend: [\n")
    given = look(good.path, None, Wishes(), unit=lambda: None)
    assert given.config is not None
    assert given.last_good == tmp_path / "last-good.yaml"
    checks = list(files.configuration(given))
    assert failed(checks)
    assert checks[-1].verdict is Verdict.WARNING
    assert "last-good.yaml" in checks[-1].what


@pytest.mark.root
def test_commands_to_copy_take_a_folder_with_a_blank(tmp_path: Path) -> None:
    folder = tmp_path / "it's here"
    given = replace(situation(tmp_path), state_directory=folder, user=User("nobody", 65534, 65534, (65534,), "/"))
    folder.mkdir(mode=0o700)
    remedy = by_name(files.state(given))["state directory"].remedy
    assert shlex.split(remedy) == ["chown", "nobody", str(folder), "&&", "chmod", "700", str(folder)]


def test_certificate_files_are_loaded(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(ca))
    given = situation(tmp_path, backend={"ca_file": str(ca)})
    assert by_name(files.configuration(given))["certificate files"].verdict is Verdict.OK
    ca.write_text("no PEM")
    check = by_name(files.configuration(given))["certificate files"]
    assert check.verdict is Verdict.FAILED
    assert str(ca) in check.what
    assert "PEM that this user may read" in check.remedy


def test_the_state_directory_has_to_be_there(tmp_path: Path) -> None:
    given = situation(tmp_path)
    assert by_name(files.state(given))["state directory"].verdict is Verdict.OK
    absent = replace(given, state_directory=tmp_path / "absent")
    assert by_name(files.state(absent))["state directory"].verdict is Verdict.WARNING


@pytest.mark.root
def test_a_state_directory_that_the_daemons_user_may_not_write(tmp_path: Path) -> None:
    given = replace(situation(tmp_path), user=User("nobody", 65534, 65534, (65534,), "/"))
    check = by_name(files.state(given))["state directory"]
    assert check.verdict is Verdict.FAILED
    assert f"chown nobody {tmp_path}" in check.remedy


@pytest.mark.parametrize(
    ("kept", "verdict"),
    [(None, Verdict.OK), ({"muted": False}, Verdict.OK), ({"muted": True}, Verdict.WARNING), ("?", Verdict.WARNING)],
)
def test_a_mute_that_outlives_restarts_is_seen(tmp_path: Path, kept: object, verdict: Verdict) -> None:
    if kept is not None:
        (tmp_path / "sound.json").write_text(json.dumps(kept))
    check = by_name(files.mute(situation(tmp_path)))["mute"]
    assert check.verdict is verdict
    assert ("unmute" in check.remedy) == (verdict is Verdict.WARNING)


@pytest.fixture
def folder() -> Iterator[Path]:
    with folder_for_all() as found:
        yield found


@pytest.mark.root
@pytest.mark.parametrize("closed", ["ingestd.yaml", "conf.d", "conf.d/gain.yaml"])
def test_a_file_of_the_configuration_that_the_daemons_user_may_not_read(folder: Path, closed: str) -> None:
    given = replace(situation(folder), user=NOBODY)
    (folder / "conf.d").mkdir()
    (folder / "conf.d/gain.yaml").write_text("audio: {capture: {gain_db: 3}}\n")
    assert failed(files.configuration(given)) == []
    (folder / closed).chmod(0o700)
    (check,) = files.configuration(given)
    assert check.verdict is Verdict.FAILED
    assert check.what == f"nobody, whom the service runs as, may not read {folder / closed}"
    mode = "g+rx" if closed == "conf.d" else "640"
    assert check.remedy == f"chgrp nogroup {folder / closed} && chmod {mode} {folder / closed}"
    for command in check.remedy.split(" && "):
        subprocess.run(shlex.split(command), check=True)
    assert failed(files.configuration(given)) == [], "the remedy helps"


@pytest.mark.root
def test_a_certificate_that_the_daemons_user_may_not_read(folder: Path) -> None:
    ca = folder / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(ca))
    given = replace(situation(folder, backend={"ca_file": str(ca)}), user=NOBODY)
    ca.chmod(0o600)
    check = by_name(files.configuration(given))["certificate files"]
    assert check.verdict is Verdict.FAILED
    assert f"may not read {ca}" in check.what
