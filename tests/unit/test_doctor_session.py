"""Doctor's own session: the backend's answer, the way to the call's server, a call of its own."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from ingestd.core import wire
from ingestd.core.check import Check, Verdict
from ingestd.doctor import session
from ingestd.doctor.session import OwnSession
from tests.rig.free_port import free_port
from tests.rig.process import wait_until
from tests.unit.doctor_case import by_name, config_of, failed, jwt, situation
from tests.unit.peers import GUARD_S, Peer, accept_upgrade, close, read_request, serving, text

MEDIA = wire.encode_media(bytes(320)).decode()
REF = "vs_s3cr3t-ref"


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_GOODBYE_S", 0.1)


def asked(folder: Path, ws_port: int, call: bool, status: int = 200) -> list[Check]:
    """What is found where the backend names a server at that port."""

    def answer(sock: socket.socket) -> None:
        read_request(sock)
        made = {"wsUrl": f"ws://127.0.0.1:{ws_port}/x?ref={REF}", "callId": "c1", "expiresIn": 90}
        body = json.dumps({"data": made} if status == 200 else {"message": "Token is invalid"}).encode()
        sock.sendall(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body)

    token = jwt(exp=4e9)
    with serving(answer) as backend:
        given = situation(folder, f"http://127.0.0.1:{backend.port}/", token=token)
        checks = list(OwnSession(config_of(given), given.path).checks(call))
    for check in checks:
        assert REF not in check.what + check.remedy
        assert token not in check.what + check.remedy
    return checks


def test_a_session_is_made_and_left_unclaimed(tmp_path: Path) -> None:
    claims: list[bytes] = []
    with serving(lambda sock: claims.append(sock.recv(1))) as server:
        checks = asked(tmp_path, server.port, call=False)
        wait_until(lambda: claims, GUARD_S, "the end of the connection")
    found = by_name(checks)
    assert failed(checks) == []
    assert "(call c1)" in found["backend"].what
    assert "ends by itself after 90 s" in found["backend"].what
    assert f"127.0.0.1:{server.port} can be reached" in found["way to the call's server"].what
    assert claims == [b""], "nothing was sent"


def test_a_server_of_the_call_that_cannot_be_reached(tmp_path: Path) -> None:
    checks = asked(tmp_path, free_port(), call=False)
    assert failed(checks) == ["way to the call's server"]
    assert checks[-1].remedy


@pytest.mark.parametrize(("status", "remedy"), [(401, "fresh token"), (404, "session.room_id"), (503, "tried again")])
def test_a_refusal_is_told_with_what_helps(tmp_path: Path, status: int, remedy: str) -> None:
    (check,) = asked(tmp_path, 1, call=False, status=status)
    assert check.verdict is Verdict.FAILED
    assert f"answered {status}" in check.what
    assert remedy in check.remedy


def called(folder: Path, room: Callable[[Peer], None]) -> list[Check]:
    def serve(sock: socket.socket) -> None:
        accept_upgrade(sock)
        room(Peer(sock))

    with serving(serve) as server:
        return asked(folder, server.port, call=True)


def test_a_call_waits_for_the_first_room_audio_and_says_stop(tmp_path: Path) -> None:
    said: list[dict[str, object]] = []

    def room(peer: Peer) -> None:
        said.extend(json.loads(payload) for opcode, payload in (peer.frame() for _ in range(4)) if opcode == 1)
        peer.send(text(MEDIA))
        said.extend(json.loads(payload) for opcode, payload in peer.frames() if opcode == 1)

    checks = called(tmp_path, room)
    assert failed(checks) == []
    assert "after the connection was open" in by_name(checks)["first room audio"].what
    assert said[0] == json.loads(wire.START)
    assert said[-1] == json.loads(wire.STOP)
    assert {frame["event"] for frame in said[1:-1]} == {"media"}


def test_a_quiet_room_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_LISTEN_S", 0.1)

    def room(peer: Peer) -> None:
        peer.frames()

    checks = called(tmp_path, room)
    assert by_name(checks)["first room audio"].verdict is Verdict.WARNING
    assert failed(checks) == []


def test_a_call_that_is_ended_is_told(tmp_path: Path) -> None:
    def room(peer: Peer) -> None:
        peer.send(close(1008, f"session expired {REF}"))
        peer.frames()

    checks = called(tmp_path, room)
    assert failed(checks) == ["first room audio"]
    assert "1008" in checks[-1].what


def test_a_server_that_is_no_websocket_is_told(tmp_path: Path) -> None:
    def refuse(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    with serving(refuse) as server:
        checks = asked(tmp_path, server.port, call=True)
    assert failed(checks) == ["call"]
    assert checks[-1].remedy
