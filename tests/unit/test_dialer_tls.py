"""Which faults of TLS are a person's job, and what that person is told."""

from __future__ import annotations

import datetime
import re
import socket
import ssl
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from ingestd.core.times import DEFAULT, Times
from ingestd.errors import BackendError, BackendFault, CertificateError, ChannelError
from ingestd.net import reach
from ingestd.net.backend import Backend
from ingestd.net.cancel import Cancel
from ingestd.net.dialer import Dialer
from tests.unit.addresses import deaf, named, needs_ipv6, refusing
from tests.unit.descriptors import left_open, open_descriptors
from tests.unit.peers import (
    GUARD_S,
    accept_upgrade,
    client_tls,
    read_head,
    read_request,
    server_tls,
    serving,
    until_closed,
)

NOW = datetime.datetime.now(datetime.UTC)
HOUR = datetime.timedelta(hours=1)
Handler = Callable[[socket.socket], None]


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("t0ken\n")
    return path


def dialled(port: int, tls: ssl.SSLContext, **times: float) -> ChannelError:
    """What opening a WebSocket there fails with."""
    made = Dialer(lambda: tls, None, Times(**times))  # type: ignore[arg-type] # no test gives the one that is a tuple
    with pytest.raises(ChannelError) as raised:
        made.open(f"wss://127.0.0.1:{port}/?ref=vs_secret", Cancel(), time.monotonic() + GUARD_S)
    assert "vs_secret" not in repr(raised.value)
    return raised.value


def asked(port: int, tls: ssl.SSLContext, token_file: Path, **times: float) -> BackendError:
    """What asking for a session there fails with."""
    made = Backend(f"https://127.0.0.1:{port}/", token_file, "bearer", lambda: tls, None, Times(**times))  # type: ignore[arg-type] # no test gives the one that is a tuple
    with pytest.raises(BackendError) as raised:
        made.create({}, Cancel())
    return raised.value


def self_signed() -> ssl.SSLContext:
    """A server whose certificate nobody but itself has signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    lonely = trustme.CA()
    with lonely.cert_pem.tempfile() as cert, lonely.private_key_pem.tempfile() as key:
        context.load_cert_chain(cert, key)
    return context


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ("unknown", r"certificate refused: unable to get local issuer certificate; .*backend\.ca_file"),
        ("self-signed", r"certificate refused: self.signed certificate; .*backend\.ca_file"),
        ("host", r"certificate refused: IP address mismatch.*; check backend\.url"),
        (
            "expired",
            r"has expired: this machine's clock stands at TIME UTC; if that is wrong, set the clock",
        ),
        ("early", r"not yet valid: this machine's clock stands at TIME UTC, before the certificate's start; .*NTP"),
    ],
)
def test_a_refused_certificate_is_a_persons_job_and_says_which(
    case: str, says: str, ca: trustme.CA, token_file: Path
) -> None:
    servers: dict[str, Callable[[], ssl.SSLContext]] = {
        "unknown": lambda: server_tls(trustme.CA()),
        "self-signed": self_signed,
        "host": lambda: server_tls(ca, "elsewhere.example"),
        "expired": lambda: server_tls(ca, not_after=NOW - HOUR),
        "early": lambda: server_tls(ca, not_before=NOW + HOUR),
    }
    with serving(until_closed, servers[case]()) as server:
        by_dialer = dialled(server.port, client_tls(ca))
        by_backend = asked(server.port, client_tls(ca), token_file)
    assert isinstance(by_dialer, CertificateError)
    assert by_backend.fault is BackendFault.TLS
    for told in (str(by_dialer), str(by_backend)):
        assert re.search(says.replace("TIME", r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"), told), told
        assert "127.0.0.1" in told


def test_a_wrong_clock_is_one_fault_however_long_it_lasts(ca: trustme.CA) -> None:
    with serving(until_closed, server_tls(ca, not_after=NOW - HOUR)) as server:
        first = dialled(server.port, client_tls(ca))
        time.sleep(1.0)  # the time that it tells is in seconds
        second = dialled(server.port, client_tls(ca))
    assert str(first) != str(second)
    assert first.key == second.key


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_our_own_certificate_refused_is_a_persons_job_too(
    version: ssl.TLSVersion, ca: trustme.CA, token_file: Path
) -> None:
    def handle(sock: socket.socket) -> None:
        read_head(sock)

    tls = server_tls(ca)
    tls.verify_mode = ssl.CERT_REQUIRED
    ca.configure_trust(tls)
    tls.maximum_version = version
    stranger = client_tls(ca)
    trustme.CA().issue_cert("device.example").configure_cert(stranger)
    with serving(handle, tls) as server:
        by_dialer = dialled(server.port, stranger)
        by_backend = asked(server.port, stranger, token_file)
    assert isinstance(by_dialer, CertificateError), by_dialer
    assert by_backend.fault is BackendFault.TLS
    for told in (str(by_dialer), str(by_backend)):
        assert "refused this device's certificate" in told
        assert "backend.client_cert" in told


def no_tls(sock: socket.socket) -> None:
    sock.recv(1000)
    sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def reset(sock: socket.socket) -> None:
    sock.recv(1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hang_up(sock: socket.socket) -> None:
    sock.recv(1000)


def garble(sock: socket.socket) -> None:
    """A record of the right kind, with nonsense in it."""
    sock.recv(1000)
    sock.sendall(b"\x16\x03\x03\x00\x20" + b"\xa5" * 32)


def alert(sock: socket.socket) -> None:
    """handshake_failure: no cipher in common, or a server that is being set up."""
    sock.recv(1000)
    sock.sendall(b"\x15\x03\x03\x00\x02\x02\x28")


@pytest.mark.parametrize("handler", [no_tls, reset, hang_up, garble, alert, until_closed], ids=lambda one: one.__name__)
def test_any_other_end_of_a_handshake_passes_by_itself(handler: Handler, ca: trustme.CA, token_file: Path) -> None:
    with serving(handler) as server:
        by_dialer = dialled(server.port, client_tls(ca), tls_s=0.4)
        by_backend = asked(server.port, client_tls(ca), token_file, tls_s=0.4)
    assert type(by_dialer) is ChannelError
    assert by_backend.fault is BackendFault.UNREACHABLE
    for told in (str(by_dialer), str(by_backend)):
        assert f"127.0.0.1:{server.port}" in told
        assert "TLS handshake" in told


def room(sock: socket.socket) -> None:
    accept_upgrade(sock)
    until_closed(sock)


@needs_ipv6
def test_an_ipv6_that_connects_and_then_stalls_gives_way_to_ipv4(
    ca: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a tunnel that swallows large packets: the certificate never comes."""
    before = open_descriptors()
    with (
        serving(until_closed, address="::1") as stalling,
        serving(room, server_tls(ca, "room.example")) as server,
        deaf("127.0.0.1") as hole,
    ):
        def made(tls_s: float) -> Dialer:
            return Dialer(lambda: client_tls(ca), None, Times(tls_s=tls_s, connect_rounds_s=(0.2,)))

        monkeypatch.setattr(reach, "DOUBTED_TLS_S", 0.3)
        named(monkeypatch, ("::1", stalling.port), ("127.0.0.1", server.port))
        made(GUARD_S).open("wss://room.example/", Cancel(), time.monotonic() + GUARD_S).close()
        assert (stalling.came(), server.came()) == (1, 1)
        for left in ((), (hole,)):
            named(monkeypatch, ("::1", stalling.port), *left)
            with pytest.raises(ChannelError, match=r"room\.example:443 did not finish the TLS handshake in time"):
                made(0.3).open("wss://room.example/", Cancel(), time.monotonic() + GUARD_S)
    assert not left_open(before)


@needs_ipv6
def test_the_next_connection_takes_ipv4_at_once(
    ca: trustme.CA, token_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def service(sock: socket.socket) -> None:
        read_request(sock)
        body = b'{"data": {"wsUrl": "wss://room.example/?ref=vs_1"}}'
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        until_closed(sock)

    monkeypatch.setattr(reach, "DOUBTED_TLS_S", 0.3)
    times = Times(tls_s=GUARD_S)
    dialer = Dialer(lambda: client_tls(ca), None, times)
    backend = Backend("https://api.example/", token_file, "bearer", lambda: client_tls(ca), None, times)
    for handler, once in (
        (room, lambda: dialer.open("wss://room.example/", Cancel(), time.monotonic() + GUARD_S).close()),
        (service, lambda: backend.create({}, Cancel())),
    ):
        with (
            serving(until_closed, address="::1") as stalling,
            serving(handler, server_tls(ca, "room.example", "api.example")) as server,
        ):
            named(monkeypatch, ("::1", stalling.port), ("127.0.0.1", server.port))
            for _ in range(3):
                once()
            assert (stalling.came(), server.came()) == (1, 3)


@needs_ipv6
def test_where_ipv4_stalls_too_nothing_is_remembered(ca: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Dialer(lambda: client_tls(ca), None, Times(tls_s=0.3))
    with serving(until_closed, address="::1") as six, serving(until_closed) as four:
        named(monkeypatch, ("::1", six.port), ("127.0.0.1", four.port))
        for _ in range(2):
            with pytest.raises(ChannelError, match="did not finish the TLS handshake in time"):
                made.open("wss://room.example/", Cancel(), time.monotonic() + GUARD_S)
        assert (six.came(), four.came()) == (2, 2)


@needs_ipv6
def test_an_ipv4_that_fails_later_gives_ipv6_another_chance(ca: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Dialer(lambda: client_tls(ca), None, Times(tls_s=GUARD_S))

    def dial() -> None:
        made.open("wss://room.example/", Cancel(), time.monotonic() + GUARD_S).close()

    with (
        serving(until_closed, address="::1") as stalling,
        serving(room, server_tls(ca, "room.example"), address="::1") as healed,
        serving(room, server_tls(ca, "room.example")) as server,
    ):
        monkeypatch.setattr(reach, "DOUBTED_TLS_S", 0.3)
        named(monkeypatch, ("::1", stalling.port), ("127.0.0.1", server.port))
        dial()
        monkeypatch.setattr(reach, "DOUBTED_TLS_S", GUARD_S)  # the healed one is doubted too, and has to succeed
        named(monkeypatch, ("::1", healed.port), refusing("127.0.0.1"))
        with pytest.raises(ChannelError, match="refused"):
            dial()
        named(monkeypatch, ("::1", healed.port), ("127.0.0.1", server.port))
        dial()
        assert (stalling.came(), healed.came(), server.came()) == (1, 1, 1)


@needs_ipv6
def test_a_stalled_ipv6_costs_less_than_two_seconds_before_ipv4(
    ca: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Dialer(lambda: client_tls(ca), None, Times(tls_s=3 * GUARD_S))
    with serving(until_closed, address="::1") as stalling, serving(room, server_tls(ca, "room.example")) as server:
        named(monkeypatch, ("::1", stalling.port), ("127.0.0.1", server.port))
        made.open("wss://room.example/", Cancel(), time.monotonic() + GUARD_S).close()
        assert (stalling.came(), server.came()) == (1, 1)
    assert reach.DOUBTED_TLS_S + DEFAULT.stagger_s < 2.0, "with the time to connect"


@needs_ipv6
def test_an_ipv6_without_an_ipv4_beside_it_is_given_all_the_time(
    ca: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reach, "DOUBTED_TLS_S", 0.1)

    def slow(sock: socket.socket) -> None:
        time.sleep(0.5)
        secured = server_tls(ca, "room.example").wrap_socket(sock, server_side=True)
        room(secured)

    with serving(slow, address="::1") as server:
        named(monkeypatch, ("::1", server.port))
        made = Dialer(lambda: client_tls(ca), None, Times(tls_s=GUARD_S))
        made.open("wss://room.example/", Cancel(), time.monotonic() + GUARD_S).close()


def test_a_certificate_of_an_extra_authority_is_taken(ca: trustme.CA) -> None:
    with serving(room, server_tls(ca)) as server:
        url = f"wss://127.0.0.1:{server.port}/"
        Dialer(lambda: client_tls(ca)).open(url, Cancel(), time.monotonic() + GUARD_S).close()
