"""ingestctl doctor in a terminal, in set-ups that are broken: each is named, with what to do; nothing else fails."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.integration.doctor_case import Desk, desk_of, instant_devices
from tests.rig.free_port import free_port
from tests.standin.client import StandIn
from tests.standin.faults import SessionFault
from tests.unit.peers import read_request, server_tls, serving


@pytest.fixture(scope="module")
def standin() -> Iterator[StandIn]:
    with StandIn(tls=True) as process:
        yield process


@pytest.fixture(scope="module")
def instant(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return instant_devices(tmp_path_factory.mktemp("alsa"))


@pytest.fixture
def desk(standin: StandIn, instant: dict[str, str], tmp_path: Path) -> Iterator[Desk]:
    with desk_of(standin, instant, tmp_path) as made:
        yield made


@dataclass(frozen=True)
class Broken:
    """A set-up that is broken: how, and what is to be read."""

    name: str
    do: Callable[[Desk, StandIn], Any]
    line: str
    """What the line begins with."""
    remedy: str
    """What is to be read below it."""
    failed: tuple[str, ...]
    """All that fails; nothing else does."""


def _syntax(desk: Desk, _standin: StandIn) -> None:
    desk.text = "backend:\n  url: https://example.com/\nsession: {room_id: abcd\n"


def _unknown_key(desk: Desk, _standin: StandIn) -> None:
    desk.config["sesion"] = {"room_id": "x"}


def _token_missing(desk: Desk, _standin: StandIn) -> None:
    desk.token_file.unlink()


def _token_expired(desk: Desk, standin: StandIn) -> None:
    desk.token_file.write_text(standin.mint_token(expires_in_s=-7200))


def _no_such_name(desk: Desk, _standin: StandIn) -> None:
    desk.config["backend"]["url"] = "https://backend.invalid/v2/ingest/sessions"


def _nobody_listens(desk: Desk, _standin: StandIn) -> None:
    port = free_port()
    desk.config["backend"]["url"] = f"https://127.0.0.1:{port}/v2/ingest/sessions"


def _unknown_ca(desk: Desk, _standin: StandIn) -> None:
    desk.config["backend"]["ca_file"] = None


def _refused(desk: Desk, standin: StandIn) -> None:
    standin.fail_sessions(SessionFault(status=401, message="Token is invalid or expired"))


def _unknown_room(desk: Desk, standin: StandIn) -> None:
    standin.configure(known_rooms=("wxyz",), unknown_room_status=404)


def _no_microphone(desk: Desk, _standin: StandIn) -> None:
    desk.config["audio"]["capture"]["device"] = "hw:CARD=Absent"


def _silent_microphone(desk: Desk, _standin: StandIn) -> None:
    desk.config["audio"]["capture"]["device"] = "quiet"


def _no_speaker(desk: Desk, _standin: StandIn) -> None:
    desk.config["audio"]["playback"]["device"] = "nonesuch"


BROKEN = (
    Broken(
        "a syntax error",
        _syntax,
        "✗ configuration: {folder}/doctor.yaml:",
        "",
        ("configuration",),
    ),
    Broken(
        "an unknown key",
        _unknown_key,
        "✗ configuration: {folder}/doctor.yaml:",
        "session",
        ("configuration",),
    ),
    Broken(
        "no token",
        _token_missing,
        "✗ token: {folder}/token: the token file does not exist",
        "create it",
        ("token",),
    ),
    Broken(
        "an expired token",
        _token_expired,
        "✗ token's dates: it expired 2 hours ago",
        "put a fresh token into",
        ("token's dates", "backend"),
    ),
    Broken(
        "no such name",
        _no_such_name,
        "✗ DNS: can't resolve backend.invalid",
        "getent hosts backend.invalid",
        ("DNS",),
    ),
    Broken(
        "nobody listens",
        _nobody_listens,
        "✗ TCP: nothing answers on port",
        "see whether it runs",
        ("TCP",),
    ),
    Broken(
        "an unknown CA",
        _unknown_ca,
        "✗ TLS: 127.0.0.1: certificate refused",
        "backend.ca_file",
        ("TLS",),
    ),
    Broken(
        "a refused token",
        _refused,
        "✗ backend: the backend answered 401",
        "Put a fresh token there",
        ("backend",),
    ),
    Broken(
        "an unknown room",
        _unknown_room,
        "✗ backend: the backend answered 404",
        "Check session.room_id",
        ("backend",),
    ),
    Broken(
        "no microphone",
        _no_microphone,
        "✗ microphone: can't open capture device 'hw:CARD=Absent'",
        "is it plugged in?",
        ("microphone",),
    ),
    Broken(
        "a silent microphone",
        _silent_microphone,
        "✗ microphone level: digital silence",
        "a switch of the hardware is off",
        ("microphone level",),
    ),
    Broken(
        "no speaker",
        _no_speaker,
        "✗ speaker: can't open playback device 'nonesuch'",
        "audio.playback.device",
        ("speaker",),
    ),
)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name)
def test_what_is_broken_is_named_with_its_remedy(broken: Broken, desk: Desk, standin: StandIn) -> None:
    broken.do(desk, standin)
    seen = desk.doctor()
    assert broken.remedy in seen.remedy_of(broken.line.format(folder=desk.folder))
    assert tuple(seen.failed) == broken.failed, "\n".join(seen.lines)
    assert seen.status == 1


def test_a_certificate_that_has_expired_is_named(desk: Desk) -> None:
    ca = trustme.CA()
    path = desk.folder / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    expired = server_tls(ca, not_after=datetime.now(UTC) - timedelta(days=1))
    with serving(lambda _sock: None, expired) as server:
        desk.config["backend"] |= {"url": f"https://127.0.0.1:{server.port}/", "ca_file": str(path)}
        seen = desk.doctor()
    assert "timedatectl" in seen.remedy_of("✗ TLS: 127.0.0.1: certificate refused: certificate has expired")
    assert seen.failed == ["TLS"]


def test_a_clock_that_is_wrong_is_named(desk: Desk) -> None:
    ca = trustme.CA()
    path = desk.folder / "ca.pem"
    ca.cert_pem.write_to_path(str(path))

    def answer(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(f"HTTP/1.1 404 Not Found\r\nDate: {formatdate(time.time() + 7300, usegmt=True)}\r\n\r\n".encode())

    with serving(answer, server_tls(ca)) as server:
        desk.config["backend"] |= {"url": f"https://127.0.0.1:{server.port}/", "ca_file": str(path)}
        seen = desk.doctor("--no-session")
    assert "NTP" in seen.remedy_of("✗ clock against the backend: it is 2 hours behind 127.0.0.1")
    assert seen.failed == ["clock against the backend"]


@pytest.mark.root
def test_a_state_directory_that_is_read_only_is_named(desk: Desk) -> None:
    state = desk.folder / "state"
    state.mkdir()
    desk.prefix = ["unshare", "--mount", "sh", "-c", f'mount -t tmpfs -o ro tmpfs {state} && exec "$@"', "sh"]
    seen = desk.doctor("--no-session", env={"STATE_DIRECTORY": str(state)})
    assert "remount it writable" in seen.remedy_of(f"✗ state directory: {state} is on a read-only file system")
    assert seen.failed == ["state directory"]
