"""`ingestd --check` and `ingestd-hooks --check` by root: what the service's own user may not read is a fault."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from ingestd import __main__ as daemon
from ingestd.hooks import main as hooks
from ingestd.system import access
from ingestd.system.access import Reader
from ingestd.system.user import User
from tests.unit.doctor_case import folder_for_all

NOBODY = Reader(User("nobody", 65534, 65534, (65534,), "/"))

pytestmark = pytest.mark.root
Told = Callable[[], tuple[int, str, str]]


@pytest.fixture
def folder() -> Iterator[Path]:
    with folder_for_all() as found:
        backend = f"{{url: 'https://broker.example/s', token_file: {found}/token}}"
        (found / "ingestd.yaml").write_text(f"backend: {backend}\n")
        (found / "conf.d").mkdir()
        (found / "conf.d/gain.yaml").write_text("audio: {capture: {gain_db: 3}}\n")
        (found / "token").write_text("t0ken")
        yield found


@pytest.fixture(params=[daemon, hooks], ids=["ingestd", "ingestd-hooks"])
def told(
    request: pytest.FixtureRequest, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Told:
    program: ModuleType = request.param
    path = folder / "ingestd.yaml"
    monkeypatch.setattr(program, "DEFAULT_CONFIG", path)
    monkeypatch.setattr(access if program is daemon else program, "reader_of", lambda *_names: NOBODY)

    def run() -> tuple[int, str, str]:
        status = program.main(["--check", "--config", str(path)])
        return (status, *capsys.readouterr())

    return run


def test_what_may_be_read_is_good(folder: Path, told: Told) -> None:
    status, said, wrong = told()
    assert (status, wrong) == (0, "")
    assert said.startswith(f"{folder / 'ingestd.yaml'}: good")


@pytest.mark.parametrize("closed", ["ingestd.yaml", "conf.d", "conf.d/gain.yaml"])
def test_what_may_not_is_named_with_what_helps(folder: Path, told: Told, closed: str) -> None:
    (folder / closed).chmod(0o700)
    status, said, wrong = told()
    assert (status, said) == (78, "")
    first, last = wrong.splitlines()
    assert first.startswith(f"nobody, whom the service runs as, may not read {folder / closed}; chgrp nogroup ")
    assert last.endswith(": 1 fault in the configuration")


def test_it_is_told_beside_other_faults(folder: Path, told: Told) -> None:
    (folder / "ingestd.yaml").chmod(0o600)
    (folder / "conf.d/gain.yaml").write_text("nonsense: 1\n")
    _, _, wrong = told()
    assert len(wrong.splitlines()) == 3


def test_another_file_than_the_services_is_not_asked_for(
    folder: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "ingestd.yaml").chmod(0o600)
    for program in (daemon, hooks):
        monkeypatch.setattr(program, "DEFAULT_CONFIG", Path("/etc/ingestd/ingestd.yaml"))
    assert told()[0] == 0


@pytest.mark.parametrize("told", [daemon], indirect=True, ids=["ingestd"])
def test_a_token_may_still_be_mended(folder: Path, told: Told) -> None:
    (folder / "token").chmod(0o600)
    status, _, wrong = told()
    assert status == 0
    assert wrong.startswith(f"nobody, whom the service runs as, may not read {folder / 'token'}; chgrp nogroup ")


def test_who_may_not_read_the_token_is_not_told_to_change_it(folder: Path) -> None:
    (folder / "token").chmod(0o640)
    command = [sys.executable, "-m", "ingestd", "--check", "--config", str(folder / "ingestd.yaml")]
    checked = subprocess.run(command, user=65534, group=65534, extra_groups=[], capture_output=True, text=True)
    assert checked.returncode == 0
    told = "this user may not read the token, so it was not looked at; run it as root"
    assert checked.stderr == f"{folder}/token: {told}\n"
