"""The way to the backend, step by step, over real sockets; and what each failure is called."""

from __future__ import annotations

import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import trustme

from ingestd.core.check import Check, Verdict
from ingestd.core.times import Times
from ingestd.doctor.network import BackendWay
from tests.rig.free_port import free_port
from tests.unit.doctor_case import by_name, config_of, failed, situation
from tests.unit.peers import GUARD_S, header, read_request, server_tls, serving
from tests.unit.proxies import Tunnel

PATIENT = Times(connect_rounds_s=(GUARD_S,), dns_s=GUARD_S)
"""A machine may be late for longer than a device waits on its way."""
QUICK = PATIENT._replace(dns_s=2.0)


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


def tells_the_time(sock: socket.socket) -> None:
    head, _ = read_request(sock)
    assert head.startswith(b"HEAD / HTTP/1.1\r\n")
    assert b"uthorization" not in head
    sock.sendall(f"HTTP/1.1 404 Not Found\r\nDate: {formatdate(time.time(), usegmt=True)}\r\n\r\n".encode())


def walk(
    folder: Path, url: str, ca: trustme.CA | None = None, times: Times = PATIENT, **backend: Any
) -> tuple[list[Check], str | None]:
    if ca is not None:
        ca.cert_pem.write_to_path(str(folder / "ca.pem"))
        backend["ca_file"] = str(folder / "ca.pem")
    given = situation(folder, url, backend=backend)
    way = BackendWay(config_of(given), given.path, times)
    return list(way.checks()), way.broken


def test_a_way_that_is_good(tmp_path: Path, ca: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = time.time()  # both clocks stand: an answer may take longer than they may differ
    monkeypatch.setattr(time, "time", lambda: now_s)
    with serving(tells_the_time, server_tls(ca)) as server:
        checks, broken = walk(tmp_path, f"https://localhost:{server.port}/sessions", ca)
    found = by_name(checks)
    assert (failed(checks), broken) == ([], None)
    assert list(found) == ["DNS", "TCP", "TLS", "clock against the backend"]
    assert "127.0.0.1" in found["DNS"].what
    assert f"port {server.port}:" in found["TCP"].what
    assert "verified for localhost, signed by trustme" in found["TLS"].what
    assert "within 1 s" in found["clock against the backend"].what


def test_plain_http_to_this_machine_is_well(tmp_path: Path) -> None:
    with serving(tells_the_time) as server:
        checks, broken = walk(tmp_path, f"http://127.0.0.1:{server.port}/sessions")
    assert (failed(checks), broken) == ([], None)
    assert "stays on this machine" in by_name(checks)["TLS"].what


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("http://127.0.0.1:8080/", "127.0.0.1:8080"),
        ("http://[::1]:80/", "[::1]"),
        ("https://gerät.example:444/", "xn--gert-noa.example:444"),
    ],
)
def test_the_host_is_named_as_for_a_session(
    url: str, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads: list[bytes] = []

    def keeps_the_head(sock: socket.socket) -> None:
        heads.append(read_request(sock)[0])
        sock.sendall(b"HTTP/1.1 404 Not Found\r\nDate: Mon, 02 Mar 2026 10:00:00 GMT\r\n\r\n")

    with serving(keeps_the_head) as server:
        here = (socket.AF_INET, ("127.0.0.1", server.port))
        there = socket.create_connection(here[1])
        monkeypatch.setattr("ingestd.doctor.network.resolve", lambda *_arguments: [here])
        monkeypatch.setattr("ingestd.doctor.network.reach", lambda *_arguments: there)
        walk(tmp_path, url)
    assert [header(head, "Host") for head in heads] == [named]


def test_a_name_that_does_not_resolve_is_told_once(tmp_path: Path) -> None:
    checks, broken = walk(tmp_path, "https://backend.invalid/", times=QUICK)
    assert (failed(checks), broken) == (["DNS"], "DNS")
    assert "backend.invalid" in checks[0].what
    assert [check.verdict for check in checks[1:]] == [Verdict.SKIPPED] * 3
    assert {check.what for check in checks[1:]} == {"not looked at, as DNS failed"}


def test_a_port_where_nobody_listens(tmp_path: Path) -> None:
    port = free_port()
    checks, broken = walk(tmp_path, f"https://127.0.0.1:{port}/")
    assert (failed(checks), broken) == (["TCP"], "TCP")
    assert "127.0.0.1 Connection refused" in by_name(checks)["TCP"].what
    assert by_name(checks)["TLS"].verdict is Verdict.SKIPPED


def test_one_of_two_addresses_that_does_not_answer_is_a_warning(
    tmp_path: Path, ca: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(tells_the_time, server_tls(ca)) as server:
        both = [(socket.AF_INET, ("127.0.0.9", server.port)), (socket.AF_INET, ("127.0.0.1", server.port))]
        monkeypatch.setattr("ingestd.doctor.network.resolve", lambda *_arguments: both)
        checks, broken = walk(tmp_path, f"https://localhost:{server.port}/", ca)
    check = by_name(checks)["TCP"]
    assert (check.verdict, broken) == (Verdict.WARNING, None)
    assert "127.0.0.9 Connection refused; 127.0.0.1 " in check.what


@pytest.mark.parametrize(
    ("certificate", "words", "remedy"),
    [
        ({"not_after": datetime.now(UTC) - timedelta(days=1)}, "certificate has expired", "timedatectl"),
        ({"not_before": datetime.now(UTC) + timedelta(days=1)}, "not yet valid", "timedatectl"),
        ({"names": ("other.example",)}, "mismatch", "the name that the certificate is for"),
        ({"ca": True}, "unable to get local issuer certificate", "backend.ca_file"),
    ],
)
def test_a_certificate_that_is_refused(
    tmp_path: Path, ca: trustme.CA, certificate: dict[str, Any], words: str, remedy: str
) -> None:
    options = {key: value for key, value in certificate.items() if key.startswith("not_")}
    signer = trustme.CA() if "ca" in certificate else ca
    tls = server_tls(signer, *certificate.get("names", ("127.0.0.1",)), **options)
    with serving(lambda _sock: None, tls) as server:
        checks, broken = walk(tmp_path, f"https://127.0.0.1:{server.port}/", ca)
    check = by_name(checks)["TLS"]
    assert (check.verdict, broken) == (Verdict.FAILED, "TLS")
    assert words in check.what
    assert remedy in check.remedy


def test_a_certificate_that_ends_soon_is_a_warning(tmp_path: Path, ca: trustme.CA) -> None:
    soon = server_tls(ca, not_after=datetime.now(UTC) + timedelta(days=3, hours=1))
    with serving(tells_the_time, soon) as server:
        checks, broken = walk(tmp_path, f"https://127.0.0.1:{server.port}/", ca)
    assert (by_name(checks)["TLS"].verdict, broken) == (Verdict.WARNING, None)
    assert "that is in 3 days" in by_name(checks)["TLS"].what


def test_through_a_proxy_whose_password_is_not_shown(tmp_path: Path, ca: trustme.CA) -> None:
    with serving(tells_the_time, server_tls(ca)) as server:
        tunnel = Tunnel(server.port)
        with serving(tunnel) as proxy:
            url = f"http://me:hunter2@127.0.0.1:{proxy.port}"
            checks, broken = walk(tmp_path, "https://localhost:4430/", ca, proxy=url)
    assert (failed(checks), broken) == ([], None)
    assert "the proxy 127.0.0.1 (backend.proxy)" in by_name(checks)["DNS"].what
    assert not any("hunter2" in check.what + check.remedy for check in checks)
    assert tunnel.heads[0].startswith(b"CONNECT localhost:4430 ")


def test_a_proxy_that_does_not_answer_is_named(tmp_path: Path) -> None:
    port = free_port()
    checks, broken = walk(tmp_path, "https://backend.example/", proxy=f"http://127.0.0.1:{port}")
    assert broken == "TCP"
    assert "backend.proxy" in by_name(checks)["TCP"].remedy


def test_a_server_that_does_not_tell_the_time_breaks_nothing(tmp_path: Path, ca: trustme.CA) -> None:
    with serving(lambda _sock: None, server_tls(ca)) as server:
        checks, broken = walk(tmp_path, f"https://127.0.0.1:{server.port}/", ca)
    assert (failed(checks), broken) == ([], None)
    assert "does not tell the time" in checks[-1].what
