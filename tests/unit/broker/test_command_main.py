"""The command's frame: its help, its exit statuses, what it tells the journal; and `check`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ingestd import __version__
from ingestd.broker.command.main import main, parser
from tests.rig.broker import BrokerProcess

ROOT = Path(__file__).parents[3]


def configured(directory: Path, more: str = "") -> list[str]:
    """A configuration there, as arguments."""
    (directory / "token").write_text("a-token\n")
    text = f"videosdk: {{url: 'http://127.0.0.1:9', token_file: {directory}/token}}\n"
    (directory / "broker.yaml").write_text(
        f"{text}storage: {{url: 'sqlite:///{directory}/data/broker.db'}}\noperators: {{key_file: null}}\n{more}"
    )
    (directory / "data").mkdir(exist_ok=True)
    return ["--config", str(directory / "broker.yaml")]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own."""
    command = [sys.executable, "-m", "ingestd.broker", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)


def test_every_command_has_a_line_of_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    told = capsys.readouterr().out
    for name in ("serve", "check", "device", "sessions", "events", "webhook", "token", "prune", "migrate"):
        assert f"\n    {name} " in told
        with pytest.raises(SystemExit) as ended:
            parser().parse_args([name, "--help"])
        assert ended.value.code == 0


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"ingestd-broker {__version__}\n"


def test_not_a_command() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["sing"])
    assert ended.value.code == 2


def test_every_fault_of_the_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*configured(tmp_path, "listen: {workers: 0, thread: 1}\n"), "migrate"]) == 78
    told = capsys.readouterr().err
    assert "listen.workers: is 0" in told
    assert "listen.thread: is not a key" in told


def test_what_cant_be_done_is_told_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = configured(tmp_path)
    (tmp_path / "data").rmdir()
    assert main([*arguments, "migrate"]) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"ingestd-broker: storage.url: {tmp_path}/data/broker.db: No such file or directory; see")
    assert told.count("\n") == 1


def test_check_tells_good_from_bad_and_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = configured(tmp_path)
    (tmp_path / "token").chmod(0o644)
    assert main([*arguments, "check"]) == 1
    told = [line for line in capsys.readouterr().out.splitlines() if "service's user" not in line]  # said to root alone
    assert [line[:5] for line in told] == ["good:", "bad: ", "good:", "bad: ", "not t"]
    assert "every user of this machine may read or write the token; chmod 640 it" in told[1]
    assert "whose tables serve will bring up to date" in told[2]
    assert "can't be reached: Connection refused; see videosdk.url" in told[3]
    assert told[4] == "not tried: whether the service takes the token; the first session will show"
    assert list((tmp_path / "data").iterdir()) == []


def test_check_names_a_bad_ca_file_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = configured(tmp_path)
    config = tmp_path / "broker.yaml"
    config.write_text(config.read_text().replace("http://127.0.0.1:9'", f"https://127.0.0.1:9', ca_file: {config}"))
    assert main([*arguments, "check"]) == 1
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "holds no certificate" in line)
    assert line.count("videosdk.ca_file") == 1


def test_prune_says_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = configured(tmp_path, "")
    assert main([*arguments, "prune", "--days", "7"]) == 0
    assert capsys.readouterr().out == "deleted 0 sessions and 0 events that were older than 7 days\n"


@pytest.mark.parametrize("days", ["0", "-1", "36501", "x", "9" * 5000])
def test_what_is_no_number_of_days_is_no_usage(days: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["prune", "--days", days])
    assert ended.value.code == 2
    assert "--days: give a whole number from 1 to 36500\n" in capsys.readouterr().err


@pytest.mark.parametrize("fault", ["configuration", "database", "port"])
def test_why_it_does_not_start_is_an_error_in_the_journal(tmp_path: Path, fault: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        more = "listen: {workers: 0, thread: 1}\n" if fault == "configuration" else ""
        if fault == "port":
            more = f"listen: {{address: '127.0.0.1:{taken.getsockname()[1]}'}}\n"
        arguments = configured(tmp_path, more)
        if fault == "database":
            (tmp_path / "data").rmdir()
        log = tmp_path / "log"
        with log.open("wb") as file:  # the broker finds out by JOURNAL_STREAM that its standard error is the journal
            status = os.fstat(file.fileno())
            environment = os.environ | {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
            command = [sys.executable, "-m", "ingestd.broker", *arguments, "serve"]
            done = subprocess.run(command, stderr=file, timeout=60, cwd=ROOT, env=environment)
    assert done.returncode == (78 if fault == "configuration" else 1)
    lines = [line for line in log.read_text().splitlines() if not line.startswith("<6>")]
    assert len(lines) == (2 if fault == "configuration" else 1)
    assert all(line.startswith("<3>") for line in lines)


@pytest.mark.parametrize(("workers", "told"), [(1, "1 process of 4 threads"), (2, "2 processes of 4 threads")])
def test_how_many_serve_is_told(tmp_path: Path, workers: int, told: str) -> None:
    configured(tmp_path)
    videosdk = {"token_file": f"{tmp_path}/token"}
    listen = {"workers": workers, "threads": 4}
    with BrokerProcess(tmp_path, "http://127.0.0.1:9", videosdk=videosdk, listen=listen) as broker:
        assert f", {told}" in broker.log


def test_whoever_read_the_output_may_go(tmp_path: Path) -> None:
    arguments = configured(tmp_path)
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "ingestd.broker", *arguments, "migrate"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, timeout=60, cwd=ROOT)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")
