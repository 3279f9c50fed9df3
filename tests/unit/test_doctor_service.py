"""The service around the daemon: what systemd says, the control socket, the journal's rate."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from ingestd.core.check import Check, Verdict
from ingestd.doctor import service
from ingestd.doctor import situation as situations
from ingestd.doctor.situation import Wishes, look
from tests.unit.control_case import control
from tests.unit.doctor_case import by_name, situation

RUNS = {
    "LoadState": "loaded",
    "ActiveState": "active",
    "SubState": "running",
    "UnitFileState": "enabled",
    "Result": "success",
    "NRestarts": "0",
    "ExecMainStatus": "0",
}


def unit(**other: str) -> list[Check]:
    return list(service.unit(RUNS | other))


def test_a_service_that_runs() -> None:
    (check,) = unit()
    assert check.verdict is Verdict.OK
    assert check.what == "ingestd.service runs (running)"


@pytest.mark.parametrize(
    ("properties", "verdict", "words", "remedy"),
    [
        ({"NRestarts": "3"}, Verdict.OK, "restarted 3 times", ""),
        ({"ActiveState": "inactive", "SubState": "dead"}, Verdict.WARNING, "is stopped", "systemctl start"),
        (
            {"ActiveState": "inactive", "ConditionResult": "no", "ConditionTimestampMonotonic": "0"},
            Verdict.WARNING,
            "is stopped",
            "systemctl start",
        ),
        (
            {"ActiveState": "inactive", "ConditionResult": "no", "ConditionTimestampMonotonic": "71"},
            Verdict.WARNING,
            "is the device filled in?",
            "ingestctl setup",
        ),
        (
            {"ActiveState": "failed", "SubState": "failed", "Result": "exit-code", "ExecMainStatus": "78"},
            Verdict.FAILED,
            "its configuration can't be used",
            "`journalctl -u ingestd.service -n 20` says why: mend that, then `systemctl start ingestd.service`",
        ),
        (
            {"ActiveState": "failed", "SubState": "failed", "Result": "watchdog", "ExecMainStatus": "6"},
            Verdict.FAILED,
            "is failed (failed): watchdog",
            "journalctl -u ingestd.service",
        ),
        (
            {"ActiveState": "activating", "SubState": "auto-restart", "Result": "exit-code", "NRestarts": "9"},
            Verdict.FAILED,
            "restarted 9 times",
            "systemctl status",
        ),
        ({"LoadState": "not-found"}, Verdict.WARNING, "no unit", "install it"),
        ({"UnitFileState": "disabled"}, Verdict.WARNING, "does not start at boot", "systemctl enable"),
    ],
)
def test_a_service_that_does_not(properties: dict[str, str], verdict: Verdict, words: str, remedy: str) -> None:
    check = unit(**properties)[-1]
    assert (check.verdict, words in check.what, remedy in check.remedy) == (verdict, True, True), check


def test_the_hooks_have_a_service_of_their_own() -> None:
    (check,) = service.unit(RUNS | {"ActiveState": "inactive"}, "hooks service", "ingestd-hooks.service")
    assert (check.name, check.what) == ("hooks service", "ingestd-hooks.service is stopped")
    assert check.remedy == "`systemctl start ingestd-hooks.service`"


def test_without_systemd_nothing_is_said_of_it() -> None:
    assert [check.verdict for check in service.unit(None)] == [Verdict.SKIPPED]
    assert [check.verdict for check in service.journal(None)] == [Verdict.SKIPPED]


@pytest.mark.parametrize(("lines", "verdict"), [(0, Verdict.OK), (600, Verdict.OK), (601, Verdict.WARNING)])
def test_a_wordy_journal_is_a_warning(lines: int, verdict: Verdict) -> None:
    assert service.judged_rate("journal", lines).verdict is verdict


def socket_check(folder: Path) -> Check:
    given = situation(folder)
    given = replace(look(given.path, None, Wishes(), unit=lambda: None), state_directory=folder)
    return by_name(service.control_socket(given))["control socket"]


def test_where_no_daemon_runs_its_socket_is_not_missed(tmp_path: Path) -> None:
    check = socket_check(tmp_path)
    assert (check.verdict, "no ingestd answers" in check.what) == (Verdict.SKIPPED, True)
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(tmp_path / "sock"))
    assert socket_check(tmp_path).verdict is Verdict.SKIPPED


def test_a_daemon_that_answers(tmp_path: Path) -> None:
    with control(tmp_path) as running:
        (tmp_path / "sock").symlink_to(running.path)
        assert socket_check(tmp_path).verdict is Verdict.OK
        running.path.chmod(0o666)
        open_to_all = socket_check(tmp_path)
    assert open_to_all.verdict is Verdict.WARNING
    assert "chmod 660" in open_to_all.remedy


def test_a_daemon_that_hangs_or_is_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(situations, "_ANSWER_S", 0.1)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "sock"))
        silent.listen()
        check = socket_check(tmp_path)
    assert (check.verdict, "it hangs" in check.what) == (Verdict.FAILED, True)
    assert "systemctl restart" in check.remedy
