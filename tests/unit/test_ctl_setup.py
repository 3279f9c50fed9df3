"""ingestctl setup beside its questions: what is written how, what keeps it from writing, what the service is told."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from ingestd.config import Secret
from ingestd.config.change import ChangedConfig
from ingestd.config.schema import Backend as BackendSettings
from ingestd.ctl import setup_files, setup_service
from ingestd.ctl.command import DEFAULT_CONFIG, CommandError
from ingestd.ctl.dialogue import Dialogue
from ingestd.ctl.setup_backend import Answers, without_query
from tests.unit.control_case import control

URL = "https://new.example/s"
KEYS = ("backend.url", "session.room_id")


class Folder:
    """A configuration with a token's file, and what setup is to make of it."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "etc" / "ingestd.yaml"
        self.token = folder / "etc" / "token"
        self.config.parent.mkdir()
        self.config.write_text(f"backend: {{url: https://a.example/, token_file: {self.token}}} # mine\n")

    def write(self, token: str | None = None) -> None:
        """As setup does, once all questions are answered."""
        files = ChangedConfig(self.config, KEYS)
        answers = Answers({"backend.url": URL, "session.room_id": None}, Secret(token) if token else None)
        setup_files.write(files, files.contents(answers.values), answers)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_the_file_keeps_its_mode_and_owner_and_so_does_the_old_one(folder: Folder) -> None:
    folder.config.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(folder.config, 12, 34)
    before = folder.config.stat()
    folder.write()
    for path in (folder.config, folder.config.with_name("ingestd.yaml.bak")):
        after = path.stat()
        assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert sorted(path.name for path in folder.config.parent.iterdir()) == ["ingestd.yaml", "ingestd.yaml.bak"]


def test_a_link_stays_one_and_what_it_leads_to_is_written(folder: Folder) -> None:
    real = folder.config.rename(folder.config.with_name("real.yaml"))
    folder.config.symlink_to(real)
    folder.write()
    assert folder.config.is_symlink()
    assert URL in real.read_text()
    assert (real.parent / "real.yaml.bak").exists()


def test_the_token_is_for_the_daemons_group_or_for_its_owner_alone(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.token.write_text("old")
    folder.token.chmod(0o666)
    monkeypatch.setattr(setup_files, "_GROUP", "no-such-group")
    folder.write("new")
    assert folder.token.read_text() == "new\n"
    assert folder.token.stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr(setup_files, "_group", os.getegid)
    folder.write("newer")
    status = folder.token.stat()
    assert (status.st_mode & 0o777, status.st_uid, status.st_gid) == (0o640, os.geteuid(), os.getegid())


def test_a_folder_that_is_missing_is_made(tmp_path: Path) -> None:
    path = tmp_path / "ingestd" / "ingestd.yaml"
    setup_files.check_writable([path])
    files = ChangedConfig(path, KEYS)
    answers = Answers({"backend.url": URL, "session.room_id": "r"})
    setup_files.write(files, files.contents(answers.values), answers)
    assert path.stat().st_mode & 0o777 == 0o644
    assert not path.with_name("ingestd.yaml.bak").exists()


@pytest.mark.parametrize(
    ("path", "why"),
    [("/proc/self/none/more/ingestd.yaml", "is no folder"), ("/dev/null/ingestd.yaml", "is no folder")],
)
def test_what_can_not_be_written_is_said_before_anybody_is_asked(path: str, why: str) -> None:
    with pytest.raises(CommandError, match=why):
        setup_files.check_writable([Path(path)])


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(folder: Folder) -> None:
    files = ChangedConfig(folder.config, KEYS)
    contents = files.contents({"backend.url": URL})
    theirs = folder.config.read_text() + "# theirs\n"
    folder.config.write_text(theirs)
    with pytest.raises(CommandError, match=r"was changed by somebody else meanwhile; begin again; nothing was changed"):
        setup_files.write(files, contents, Answers({"backend.url": URL}))
    assert folder.config.read_text() == theirs


def test_what_is_shown_has_neither_the_token_nor_a_query(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    files = ChangedConfig(folder.config, KEYS)
    answers = Answers({"backend.url": "https://h.example/s?key=hidden", "session.room_id": "r\u202e"}, Secret("hidden"))
    setup_files.show(files, files.contents(answers.values), answers)
    out = capsys.readouterr().out
    assert "hidden" not in out
    assert "backend.url: https://a.example/ -> https://h.example/s?…" in out
    assert "session.room_id: none -> r?" in out
    assert without_query({"backend.url": None}) == {"backend.url": None}


def fake_systemctl(
    folder: Path, monkeypatch: pytest.MonkeyPatch, status: int = 0, *, hooks: bool = False
) -> Path:
    """A systemctl that notes what it is to do; ingestd-hooks is enabled or not."""
    said = folder / "asked"
    program = folder / "systemctl"
    program.write_text(
        '#!/bin/sh\n[ "$1" != is-enabled ] || exit ' + f'{int(not hooks)}\necho "$@" >> {said}\nexit {status}\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr(setup_service, "systemd_runs", lambda: True)
    return said


def answering(monkeypatch: pytest.MonkeyPatch, *answers: str) -> Dialogue:
    """A talk with somebody who gives these answers."""
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{answer}\n" for answer in answers)))
    return Dialogue(True)


def test_a_service_that_does_not_run_is_started_where_somebody_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = fake_systemctl(tmp_path, monkeypatch)
    talk = answering(monkeypatch, "n", "y")
    setup_service.offer(talk, DEFAULT_CONFIG, tmp_path / "none", devices_changed=False, agreed=None)
    assert not said.exists()
    shown = capsys.readouterr().out
    assert shown == "Start the service now, and at every boot? [Y/n] Later: systemctl enable --now ingestd\n"
    setup_service.offer(talk, DEFAULT_CONFIG, tmp_path / "none", devices_changed=False, agreed=None)
    assert said.read_text() == "enable --now ingestd\n"


def test_handlers_that_waited_for_it_are_started_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = fake_systemctl(tmp_path, monkeypatch, hooks=True)
    setup_service.offer(Dialogue(False), DEFAULT_CONFIG, tmp_path / "none", devices_changed=False, agreed=False)
    assert not said.exists()
    setup_service.offer(Dialogue(False), DEFAULT_CONFIG, tmp_path / "none", devices_changed=False, agreed=True)
    assert said.read_text().splitlines() == ["enable --now ingestd", "start ingestd-hooks"]


def test_with_no_try_it_is_only_said_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = fake_systemctl(tmp_path, monkeypatch)
    setup_service.offer(Dialogue(False), DEFAULT_CONFIG, tmp_path / "none", devices_changed=False, agreed=False)
    setup_service.offer(
        Dialogue(False), tmp_path / "other.yaml", tmp_path / "none", devices_changed=False, agreed=False
    )
    with control(tmp_path) as served:
        setup_service.offer(Dialogue(False), DEFAULT_CONFIG, served.path, devices_changed=False, agreed=False)
    assert not said.exists()
    assert capsys.readouterr().out.splitlines() == [
        "Later: systemctl enable --now ingestd",
        f"Start it: ingestd --config {tmp_path}/other.yaml",
        "Let it read that: ingestctl reload",
    ]


def test_other_devices_want_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = fake_systemctl(tmp_path, monkeypatch)
    talk = answering(monkeypatch, "")
    with control(tmp_path) as served:
        setup_service.offer(talk, DEFAULT_CONFIG, served.path, devices_changed=True, agreed=None)
        setup_service.offer(talk, tmp_path / "other.yaml", served.path, devices_changed=True, agreed=None)
    assert said.read_text() == "restart ingestd\n"
    assert "Restart ingestd, as other sound devices want that." in capsys.readouterr().out


def test_who_said_yes_to_all_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = fake_systemctl(tmp_path, monkeypatch)
    talk = Dialogue(False)
    setup_service.offer(talk, DEFAULT_CONFIG, tmp_path / "none", devices_changed=False, agreed=True)
    setup_service.offer(talk, tmp_path / "other.yaml", tmp_path / "none", devices_changed=False, agreed=True)
    with control(tmp_path) as served:
        setup_service.offer(talk, DEFAULT_CONFIG, served.path, devices_changed=True, agreed=True)
    assert said.read_text().splitlines() == ["enable --now ingestd", "restart ingestd"]
    assert f"Start it: ingestd --config {tmp_path}/other.yaml" in capsys.readouterr().out
    monkeypatch.setattr(setup_service, "systemd_runs", lambda: False)
    setup_service.offer(talk, DEFAULT_CONFIG, tmp_path / "none", devices_changed=False, agreed=True)
    assert f"Start it: ingestd --config {DEFAULT_CONFIG}" in capsys.readouterr().out


def test_a_token_stays_as_it_is_where_it_is_the_device_s_own_or_systemd_s(folder: Folder) -> None:
    def why(token_file: Path) -> str | None:
        folder.config.write_text(f"backend: {{url: https://a.example/, token_file: {token_file}}}\n")
        return setup_files.why_kept(ChangedConfig(folder.config, KEYS))

    own = BackendSettings(url="https://a.example/").token_file
    assert why(folder.token) is None
    assert "backend.token_file" in (why(own) or "")
    assert "chroot FOLDER" in (why(own) or "")
    credential = why(Path("/run/credentials/ingestd.service/ingestd.token")) or ""
    assert [line.split()[0] for line in credential.splitlines()[1:]] == ["systemd-creds", "systemctl"]


def test_a_service_that_does_not_start_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_systemctl(tmp_path, monkeypatch, status=5)
    talk = answering(monkeypatch, "y")
    with pytest.raises(CommandError, match="it is written, but systemctl enable --now ingestd failed; see `journalctl"):
        setup_service.offer(talk, DEFAULT_CONFIG, tmp_path / "none", devices_changed=False, agreed=None)


def test_a_daemon_that_has_not_taken_another_socket_over_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = tmp_path / "new.sock"
    with control(tmp_path) as served:
        monkeypatch.setattr(setup_service, "DEFAULT_SOCKET", served.path)
        assert setup_service.socket_of(DEFAULT_CONFIG, new) == served.path
        assert setup_service.socket_of(tmp_path / "other.yaml", new) == new, "that is another daemon's"
    assert setup_service.socket_of(DEFAULT_CONFIG, new) == new


def test_a_question_is_asked_until_the_answer_is_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    talk = answering(monkeypatch, "maybe", "NO", "bad", "", "good")
    assert talk.confirm("So?", default=True) is False
    assert "Please answer y or n." in capsys.readouterr().out
    assert talk.ask("What", None, lambda text: None if text == "good" else f"is {text!r}") == "good"
    assert capsys.readouterr().out == "What:   ! What: is 'bad'\nWhat:   ! What: is ''\nWhat: "


def test_where_nobody_can_be_asked_a_bad_answer_is_an_error() -> None:
    talk = Dialogue(False)
    with pytest.raises(CommandError, match="What: is wrong"):
        talk.ask("What", "x", lambda _text: "is wrong", given="y")
    with pytest.raises(CommandError, match="there is no terminal to ask at"):
        talk.ask("What", "x", lambda _text: None)
