"""Who is served at the control socket, whatever its folder and mode let in."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ingestd.control.peers import Peer, Peers, peer_of
from ingestd.control.protocol import FORBIDDEN, RpcError
from tests.unit.control_case import STATUS, Control, control

GROUP, STRANGER = 4242, 65534
"""The socket's group, and a user (and group) that has nothing to do with it."""
ASK = """
import socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[1])
try:
    sock.sendall(b'{"jsonrpc":"2.0","method":"status","id":1}\\n')
except BrokenPipeError:
    pass
print(sock.makefile().readline())
"""


def peers(own_uid: int = 998) -> Peers:
    return Peers(lambda: GROUP, own_uid)


@pytest.mark.parametrize(
    ("uid", "gids"), [(0, {0}), (998, {998}), (1001, {GROUP}), (1001, {1001, 27, GROUP})], ids=str
)
def test_root_the_daemons_user_and_the_sockets_group_are_served(uid: int, gids: set[int]) -> None:
    peers().check(Peer(1, uid, frozenset(gids)))


def test_others_hear_why_not_and_the_log_says_it_once_for_each_user(caplog: pytest.LogCaptureFixture) -> None:
    door = peers()
    for uid in (1001, 1001, 1002, 1001):
        with pytest.raises(RpcError, match=f"uid {uid} is not served: only root, uid 998 and members of group 4242"):
            door.check(Peer(77, uid, frozenset({uid})))
    said = [record.getMessage() for record in caplog.records]
    assert [line.partition(" is neither")[0] for line in said] == [
        "control socket: uid 1001 (pid 77)",
        "control socket: uid 1002 (pid 77)",
    ]


def test_a_thousand_users_do_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    door = peers()
    for uid in range(1000, 2000):
        with pytest.raises(RpcError):
            door.check(Peer(77, uid, frozenset()))
    assert len(caplog.records) == 64


def test_the_kernel_says_who_is_at_the_other_end() -> None:
    near, far = socket.socketpair()
    with near, far:
        peer = peer_of(near)
    assert (peer.pid, peer.uid) == (os.getpid(), os.geteuid())
    assert peer.gids == {os.getegid(), *os.getgroups()}


@pytest.fixture
def served() -> Iterator[Control]:
    """A socket that somebody opened to everybody."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with control(Path(folder)) as running:
            os.chown(running.path, -1, GROUP)
            running.path.chmod(0o666)
            yield running


def asked_by(served: Control, user: int, group: int, groups: Sequence[int]) -> dict[str, Any]:
    """What a program of that user is answered."""
    python = getattr(sys, "_base_executable", sys.executable)  # who is not root may not get at the other
    program = subprocess.run(
        [python, "-I", "-S", "-c", ASK, str(served.path)],
        user=user,
        group=group,
        extra_groups=groups,
        cwd="/",
        stdout=subprocess.PIPE,
        check=True,
        timeout=20,
    )
    answer: dict[str, Any] = json.loads(program.stdout)
    return answer


@pytest.mark.root
def test_a_program_of_a_stranger_is_told_why_and_cut_off(served: Control) -> None:
    answer = asked_by(served, STRANGER, STRANGER, [STRANGER, 1])
    assert answer["error"]["code"] == FORBIDDEN
    assert f"uid {STRANGER} is not served" in answer["error"]["message"]
    assert answer["id"] is None
    assert served.thread.figures == {"clients": 0, "cut_off": 0, "refused": 1, "missed": 0, "dropped": 0}


@pytest.mark.root
@pytest.mark.parametrize(("group", "groups"), [(GROUP, [STRANGER]), (STRANGER, [27, GROUP, 1])])
def test_a_program_of_the_sockets_group_is_served(group: int, groups: list[int], served: Control) -> None:
    assert asked_by(served, STRANGER, group, groups)["result"] == STATUS


@pytest.mark.root
def test_the_socket_may_be_given_to_another_group_while_it_is_served(served: Control) -> None:
    assert "error" in asked_by(served, STRANGER, GROUP + 1, [])
    os.chown(served.path, -1, GROUP + 1)
    assert "result" in asked_by(served, STRANGER, GROUP + 1, [])
    assert "error" in asked_by(served, STRANGER, GROUP, [])


@pytest.mark.root
def test_another_file_in_its_place_opens_it_to_nobody(served: Control) -> None:
    asked_by(served, STRANGER, GROUP, [])
    other = served.path.with_name("other")
    served.path.rename(other)
    try:
        served.path.write_text("")
        os.chown(served.path, -1, STRANGER)
        assert served.thread._listener.gid() == GROUP
    finally:
        other.rename(served.path)
