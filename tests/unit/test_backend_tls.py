"""Whom the token goes to: certificates of both sides, and the way through a proxy."""

from __future__ import annotations

import json
import socket
import ssl
import time
from base64 import b64encode
from pathlib import Path

import pytest
import trustme

from ingestd.core.times import DEFAULT, Times
from ingestd.errors import BackendError, BackendFault
from ingestd.net.backend import Backend
from ingestd.net.cancel import Cancel
from ingestd.net.tls_files import TlsFiles
from tests.unit.peers import client_tls, header, read_head, read_request, server_tls, serving, until_closed
from tests.unit.proxies import Tunnel

TOKEN = "eyJhbGciOi.eyJhcGlrZXki.s3cr3t-_"
URL = "wss://ingest.example/videosdk?ref=vs_1"


class Service:
    """Gives a session to whoever asks, and keeps what it was asked."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []

    def __call__(self, sock: socket.socket) -> None:
        self.requests.append(read_request(sock)[0])
        body = json.dumps({"data": {"wsUrl": URL}}).encode()
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        until_closed(sock)


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    return path


def refused(made: Backend) -> BackendError:
    """The error of one attempt, which holds no secret."""
    with pytest.raises(BackendError) as raised:
        made.create({}, Cancel())
    for secret in (TOKEN, "hunter2"):
        assert secret not in repr(raised.value)
    return raised.value


def secure(port: int, token_file: Path, tls: ssl.SSLContext) -> Backend:
    return Backend(f"https://127.0.0.1:{port}/", token_file, "bearer", lambda: tls)


def test_an_extra_ca_is_trusted(token_file: Path, tmp_path: Path, ca: trustme.CA) -> None:
    ca_file = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(ca_file))
    with serving(Service(), server_tls(ca)) as server:
        assert secure(server.port, token_file, TlsFiles(ca_file).context()).create({}, Cancel()).ws_url == URL


def test_a_wrong_certificate_is_refused_before_the_token_is_sent(token_file: Path, ca: trustme.CA) -> None:
    service = Service()
    with serving(service, server_tls(trustme.CA())) as server:
        error = refused(secure(server.port, token_file, client_tls(ca)))
    assert error.fault is BackendFault.TLS
    assert service.requests == []


def test_a_client_certificate_is_shown(token_file: Path, tmp_path: Path, ca: trustme.CA) -> None:
    files = {name: tmp_path / name for name in ("ca.pem", "cert.pem", "key.pem")}
    leaf = ca.issue_cert("device.example")
    ca.cert_pem.write_to_path(str(files["ca.pem"]))
    leaf.cert_chain_pems[0].write_to_path(str(files["cert.pem"]))
    leaf.private_key_pem.write_to_path(str(files["key.pem"]))
    tls = server_tls(ca)
    tls.verify_mode = ssl.CERT_REQUIRED
    ca.configure_trust(tls)
    with serving(Service(), tls) as server:
        shown = TlsFiles(files["ca.pem"], (files["cert.pem"], files["key.pem"])).context()
        assert secure(server.port, token_file, shown).create({}, Cancel()).ws_url == URL
        error = refused(secure(server.port, token_file, TlsFiles(files["ca.pem"]).context()))
    assert error.fault is BackendFault.TLS
    assert "check backend.client_cert" in str(error)


def test_a_ca_file_that_a_power_cut_emptied_is_that_requests_fault_until_it_is_mended(
    token_file: Path, tmp_path: Path, ca: trustme.CA
) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(b"")
    with serving(Service(), server_tls(ca)) as server:
        made = Backend(f"https://127.0.0.1:{server.port}/", token_file, "bearer", TlsFiles(ca_file).context)
        error = refused(made)
        assert error.fault is BackendFault.TLS
        assert f"can't load backend.ca_file ({ca_file}): the file is empty" in str(error)
        assert server.connections == 0
        ca.cert_pem.write_to_path(str(ca_file))
        assert made.create({}, Cancel()).ws_url == URL


def proxied(port: int, proxy_port: int, token_file: Path, tls: ssl.SSLContext, times: Times = DEFAULT) -> Backend:
    proxy = f"http://user:hunter2@127.0.0.1:{proxy_port}"
    return Backend(f"https://127.0.0.1:{port}/", token_file, "bearer", lambda: tls, proxy, times)


def test_through_a_proxy_the_token_stays_inside_tls(token_file: Path, ca: trustme.CA) -> None:
    tunnel, service = Tunnel(), Service()
    with serving(service, server_tls(ca)) as server, serving(tunnel) as proxy:
        assert proxied(server.port, proxy.port, token_file, client_tls(ca)).create({}, Cancel()).ws_url == URL
    assert tunnel.heads[0].startswith(f"CONNECT 127.0.0.1:{server.port} ".encode())
    assert header(tunnel.heads[0], "Proxy-Authorization") == "Basic " + b64encode(b"user:hunter2").decode()
    assert header(tunnel.heads[0], "Authorization") is None
    assert header(service.requests[0], "Authorization") == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        *((code, BackendFault.PROXY) for code in (401, 403, 405, 407)),
        *((code, BackendFault.UNREACHABLE) for code in (429, 500, 502, 503)),
    ],
)
def test_a_proxys_refusal_is_told(status: int, fault: BackendFault, token_file: Path, ca: trustme.CA) -> None:
    def refuse(sock: socket.socket) -> None:
        read_head(sock)
        sock.sendall(b"HTTP/1.1 %d No\r\n\r\n" % status)

    with serving(refuse) as proxy:
        error = refused(proxied(9, proxy.port, token_file, client_tls(ca)))
    assert error.fault is fault
    assert f"the proxy answered {status} to CONNECT 127.0.0.1:9" in str(error)


def test_a_proxy_that_trickles_is_given_up_in_time(token_file: Path, ca: trustme.CA) -> None:
    def trickle(sock: socket.socket) -> None:
        read_head(sock)
        for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 5000:
            sock.sendall(bytes([byte]))
            time.sleep(0.02)

    with serving(trickle) as proxy:
        error = refused(proxied(9, proxy.port, token_file, client_tls(ca), Times(upgrade_s=0.4)))
    assert error.fault is BackendFault.UNREACHABLE
    assert "the proxy did not answer CONNECT 127.0.0.1:9 in time" in str(error)


def test_the_environments_proxy_is_taken_for_requests_too(
    token_file: Path, ca: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    service = Service()
    with serving(service, server_tls(ca, "api.example")) as server:
        tunnel = Tunnel(server.port)
        with serving(tunnel) as proxy:
            monkeypatch.setenv("https_proxy", f"127.0.0.1:{proxy.port}")
            made = Backend("https://api.example/v2", token_file, "bearer", lambda: client_tls(ca))
            assert made.create({}, Cancel()).ws_url == URL
    assert tunnel.heads[0].startswith(b"CONNECT api.example:443 ")
    assert header(service.requests[0], "Host") == "api.example"


def test_the_proxys_password_is_not_in_the_backends_repr(token_file: Path, ca: trustme.CA) -> None:
    assert "hunter2" not in repr(proxied(1, 2, token_file, client_tls(ca)))
