"""Where doctor looks for the daemon, and what it leaves alone where one may run that does not answer."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ingestd.config.lastgood import LastGood
from ingestd.config.load import read_config
from ingestd.core.check import Verdict
from ingestd.ctl.main import main
from ingestd.doctor import service
from ingestd.doctor import situation as situations
from ingestd.doctor.run import all_checks
from ingestd.doctor.situation import Situation, Wishes, look
from ingestd.system.state_files import write_state
from tests.unit.control_case import control
from tests.unit.doctor_case import by_name, situation
from tests.unit.test_doctor_service import RUNS


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The state directory and the default socket lie in the test's folder."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    monkeypatch.setattr(situations, "_SOCKET", tmp_path / "default.sock")


def seen(folder: Path, socket: Path | None = None, unit: dict[str, str] | None = None) -> Situation:
    """A device whose configuration names the socket `sock`."""
    return look(situation(folder).path, socket, Wishes(), unit=lambda: unit)


def test_a_daemon_that_has_not_taken_another_socket_over_is_found_at_the_default(tmp_path: Path) -> None:
    with control(tmp_path) as running:
        (tmp_path / "default.sock").symlink_to(running.path)
        given = seen(tmp_path)
    assert given.socket == tmp_path / "default.sock"
    assert given.daemon_may_run
    check = list(service.control_socket(given))[-1]
    assert check.verdict is Verdict.WARNING
    assert f"control.socket is {tmp_path}/sock" in check.what


def test_a_daemon_on_the_last_good_configuration_is_found_at_its_socket(tmp_path: Path) -> None:
    old = situation(tmp_path, control={"socket": str(tmp_path / "old.sock")})
    LastGood(tmp_path, write_state).keep(read_config(old.path).tree)
    with control(tmp_path) as running:
        (tmp_path / "old.sock").symlink_to(running.path)
        given = seen(tmp_path)
    assert (given.socket, given.daemon is None) == (tmp_path / "old.sock", False)


def test_the_configured_one_comes_first(tmp_path: Path) -> None:
    with control(tmp_path) as running:
        for name in ("sock", "default.sock"):
            (tmp_path / name).symlink_to(running.path)
        given = seen(tmp_path)
        assert [check.verdict for check in service.control_socket(given)] == [Verdict.OK]
    assert given.socket == tmp_path / "sock"


def test_one_that_is_given_is_asked_and_no_other(tmp_path: Path) -> None:
    with control(tmp_path) as running:
        (tmp_path / "sock").symlink_to(running.path)
        assert seen(tmp_path, tmp_path / "default.sock").daemon is None


def test_the_default_counts_as_given_where_somebody_gives_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Path | None] = []

    def looked(path: Path, socket: Path | None, wishes: Wishes) -> Situation:
        asked.append(socket)
        return replace(look(path, tmp_path / "none", wishes, unit=lambda: None), config=None)

    monkeypatch.setattr(situations, "look", looked)
    for given in ([], ["--socket", "/run/ingestd/control.sock"]):
        main([*given, "doctor", "--json", "--config", str(tmp_path / "none.yaml")])
        main(["doctor", "--json", "--config", str(tmp_path / "none.yaml"), *given])
    assert json.loads(capsys.readouterr().out.partition("\n{")[0])
    assert asked == [None, None, *[Path("/run/ingestd/control.sock")] * 2]


@pytest.mark.parametrize(
    ("unit", "runs"),
    [
        ({"ActiveState": "active"}, True),
        ({"ActiveState": "reloading"}, True),
        ({"ActiveState": "deactivating"}, True),
        ({"ActiveState": "activating", "SubState": "start"}, True),
        ({"ActiveState": "activating", "SubState": "auto-restart"}, False),
        ({"ActiveState": "inactive"}, False),
        ({"ActiveState": "failed"}, False),
    ],
)
def test_what_systemd_says_decides_whether_devices_may_be_opened(
    tmp_path: Path, unit: dict[str, str], runs: bool
) -> None:
    assert seen(tmp_path, unit=RUNS | unit).daemon_may_run is runs


def test_a_service_that_runs_and_does_not_answer_is_a_failure_and_keeps_devices_and_room(tmp_path: Path) -> None:
    given = replace(seen(tmp_path, unit=RUNS), wishes=Wishes(tone=True, call=True))
    found = by_name(all_checks(given))
    said = found["control socket"]
    assert (said.verdict, f"{tmp_path}/sock, {tmp_path}/default.sock" in said.what) == (Verdict.FAILED, True)
    assert "--socket" in said.remedy
    assert found["devices"].verdict is Verdict.SKIPPED
    assert not {"capture", "playback", "tone", "call", "session"} & found.keys()


def test_no_session_is_asked_for_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestd.doctor.network.BackendWay.checks", lambda _way: iter(()))
    backend = by_name(all_checks(seen(tmp_path, unit=RUNS)))["backend"]
    assert (backend.verdict, "may be in the room" in backend.what) == (Verdict.SKIPPED, True)
