"""The control socket's file: whose it may be, who waits for whom, and that whoever finds it is let in."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import stat
import threading
import time
from pathlib import Path

import pytest

from ingestd.control.listener import Listener
from ingestd.errors import StartError
from tests.unit.peers import GUARD_S


def test_a_path_that_cannot_be_had_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    for path in ("absent/control.sock", "x" * 200, "file", "folder", "file/control.sock"):
        with pytest.raises(StartError, match=r"No such file|too long|no socket|Not a directory") as raised:
            Listener(tmp_path / path)
        assert str(tmp_path / path) in str(raised.value)
        assert "control.socket" in str(raised.value)
    assert (tmp_path / "file").read_text() == "mine"


class EarlyClient(socket.socket):
    """A listener's socket, at which somebody knocks as soon as there is anything to be found."""

    def listen(self, backlog: int = 0) -> None:
        for found in Path(self.getsockname()).parent.iterdir():
            with socket.socket(socket.AF_UNIX) as client, pytest.raises(ConnectionRefusedError):
                client.connect(str(found))
            assert found.name != "control.sock", "whoever finds it is to be let in"
        super().listen(backlog)


@pytest.mark.parametrize("left_behind", [False, True])
def test_whoever_finds_the_socket_is_let_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left_behind: bool
) -> None:
    path = tmp_path / "control.sock"
    if left_behind:  # by a daemon that was killed before it listened
        with socket.socket(socket.AF_UNIX) as killed:
            killed.bind(str(tmp_path / "control.sock~"))
    with monkeypatch.context() as patched:
        patched.setattr("ingestd.control.listener.socket.socket", EarlyClient)
        listener = Listener(path)
    assert list(tmp_path.iterdir()) == [path]
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    listener.close()
    assert list(tmp_path.iterdir()) == []


def test_the_longest_path_there_is_can_be_had(tmp_path: Path) -> None:
    path = tmp_path / ("x" * (106 - len(os.fsencode(tmp_path))))
    assert len(os.fsencode(path)) == 107
    listener = Listener(path)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    listener.close()


def test_somebody_elses_file_beside_it_is_left_there(tmp_path: Path) -> None:
    (tmp_path / "control.sock~").write_text("mine")
    with pytest.raises(StartError, match=r"control.sock~ is a file and no socket; remove it"):
        Listener(tmp_path / "control.sock")
    assert (tmp_path / "control.sock~").read_text() == "mine"


@pytest.mark.parametrize("name", ["control.sock", "control.soco"])
def test_daemons_that_start_at_once_wait_for_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """At the very path of a daemon that was killed, or at another one there; the second comes in the midst."""
    monkeypatch.setattr("ingestd.control.listener._ALONE_WITHIN_S", GUARD_S)  # the first may be held up meanwhile
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(tmp_path / "control.sock"))
    second: list[Listener | StartError] = []

    def start_second() -> None:
        try:
            second.append(Listener(tmp_path / name))
        except StartError as error:
            second.append(error)

    other = threading.Thread(target=start_second)
    link = os.link

    def link_late(source: Path, target: Path) -> None:
        if threading.current_thread() is not other:
            other.start()
            time.sleep(0.1)
            assert not second, "it waits"
        link(source, target)

    monkeypatch.setattr(os, "link", link_late)
    first = Listener(tmp_path / "control.sock")
    other.join()
    if name == "control.sock":
        assert "another ingestd answers" in str(second[0])
    else:
        assert isinstance(second[0], Listener)
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as client:
        client.connect(str(tmp_path / "control.sock"))
        assert first.sock.accept()[0]
    for one in (first, *second):
        if isinstance(one, Listener):
            one.close()


def test_a_lock_that_is_never_given_back_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestd.control.listener._ALONE_WITHIN_S", 0.05)
    held = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    with pytest.raises(StartError, match="holds a lock on"):
        Listener(tmp_path / "control.sock")
    os.close(held)


@pytest.mark.parametrize("waiting", [0, 3])
def test_the_socket_of_a_daemon_that_lives_or_hangs_is_left_to_it(waiting: int, tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with contextlib.ExitStack() as stack:
        other = stack.enter_context(socket.socket(socket.AF_UNIX))
        other.bind(str(path))
        other.listen(0)
        for _ in range(waiting):
            sock = stack.enter_context(socket.socket(socket.AF_UNIX))
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                sock.connect(str(path))
        with pytest.raises(StartError, match="another ingestd answers"):
            Listener(path)
        assert path.exists()


def test_a_socket_that_somebody_else_put_in_place_is_left_there(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    listener = Listener(path)
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        keep = tmp_path / "keep"  # so that the file system can't give the same inode again
        keep.touch()
        other.bind(str(path))
        listener.close()
        assert path.exists()
