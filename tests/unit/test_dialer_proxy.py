"""Through an HTTP proxy, a small real one."""

from __future__ import annotations

import socket
import time
from base64 import b64encode
from collections.abc import Callable

import pytest
import trustme

from ingestd.core.times import DEFAULT, Times
from ingestd.errors import ChannelError, ProxyRefused
from ingestd.net.cancel import Cancel
from ingestd.net.dialer import Dialer
from ingestd.net.stream import Stream
from tests.rig.free_port import free_port
from tests.unit.peers import GUARD_S, accept_upgrade, client_tls, header, read_head, server_tls, serving, until_closed
from tests.unit.proxies import Tunnel

Handler = Callable[[socket.socket], None]


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


def dial(
    ca: trustme.CA, proxy_port: int, port: int, login: str = "", scheme: str = "wss", times: Times = DEFAULT
) -> Stream:
    proxied = Dialer(lambda: client_tls(ca), f"http://{login}127.0.0.1:{proxy_port}", times)
    return proxied.open(f"{scheme}://127.0.0.1:{port}/v?ref=vs_secret", Cancel(), time.monotonic() + GUARD_S)


def room(sock: socket.socket) -> None:
    accept_upgrade(sock)
    until_closed(sock)


def refused(ca: trustme.CA, handler: Handler, times: Times = DEFAULT) -> ChannelError:
    """What dialling through such a proxy fails with."""
    with serving(handler) as proxy, pytest.raises(ChannelError) as raised:
        dial(ca, proxy.port, 9, login="jane:hunter2@", times=times)
    for secret in ("vs_secret", "hunter2", "jane"):
        assert secret not in str(raised.value)
    return raised.value


def answering(answer: bytes) -> Handler:
    def handle(sock: socket.socket) -> None:
        read_head(sock)
        sock.sendall(answer)

    return handle


@pytest.mark.parametrize("scheme", ["wss", "ws"])
def test_the_call_goes_through_the_proxy_end_to_end(scheme: str, ca: trustme.CA) -> None:
    tunnel = Tunnel()
    tls = server_tls(ca) if scheme == "wss" else None
    with serving(room, tls) as server, serving(tunnel) as proxy:
        dial(ca, proxy.port, server.port, scheme=scheme).close()
        assert (server.connections, proxy.connections) == (1, 1)
        assert tunnel.heads[0].startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\n".encode())
        assert header(tunnel.heads[0], "Host") == f"127.0.0.1:{server.port}"
        assert header(tunnel.heads[0], "Proxy-Authorization") is None


def test_a_login_in_the_proxys_url_is_given_to_the_proxy_alone(ca: trustme.CA) -> None:
    tunnel = Tunnel()
    rooms: list[bytes] = []

    def keep(sock: socket.socket) -> None:
        rooms.append(accept_upgrade(sock))
        until_closed(sock)

    with serving(keep, server_tls(ca)) as server, serving(tunnel) as proxy:
        dial(ca, proxy.port, server.port, login="us%40er:p%3Aw@").close()
    expected = b64encode(b"us@er:p:w").decode()
    assert header(tunnel.heads[0], "Proxy-Authorization") == f"Basic {expected}"
    assert header(rooms[0], "Proxy-Authorization") is None


@pytest.mark.parametrize("status", [401, 403, 405, 407])
def test_a_proxy_that_will_not_let_us_through_is_a_persons_job(status: int, ca: trustme.CA) -> None:
    error = refused(ca, answering(f"HTTP/1.1 {status} No\r\nContent-Length: 9\r\n\r\nsomething".encode()))
    assert isinstance(error, ProxyRefused)
    assert error.status == status
    assert f"the proxy answered {status} to CONNECT 127.0.0.1:9; check " in str(error)
    assert "backend.proxy" in str(error)


@pytest.mark.parametrize("status", [302, 400, 408, 429, 500, 502, 503, 504])
def test_any_other_refusal_of_a_proxy_passes_by_itself(status: int, ca: trustme.CA) -> None:
    error = refused(ca, answering(f"HTTP/1.1 {status} No\r\n\r\n".encode()))
    assert type(error) is ChannelError
    assert str(error) == f"the proxy answered {status} to CONNECT 127.0.0.1:9; check backend.proxy"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200",
        b"\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 \xff\r\n\r\n",
        b"a 200 b\r\n\r\n",
        b"x" * 20_000,
    ],
    ids=len,
)
def test_a_proxy_that_speaks_no_http_is_told(answer: bytes, ca: trustme.CA) -> None:
    assert "the proxy " in str(refused(ca, answering(answer)))


def test_a_proxy_that_trickles_is_given_up(ca: trustme.CA) -> None:
    def trickle(sock: socket.socket) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 5000:
            sock.sendall(bytes([byte]))
            time.sleep(0.02)

    error = refused(ca, trickle, Times(upgrade_s=0.3))
    assert str(error) == "the proxy did not answer CONNECT 127.0.0.1:9 in time; check backend.proxy"


def test_a_proxy_that_is_not_there_is_told(ca: trustme.CA) -> None:
    port = free_port()
    with pytest.raises(ChannelError, match=f"can't connect to 127.0.0.1:{port}: Connection refused; .*backend.proxy"):
        dial(ca, port, 9)


@pytest.mark.parametrize("name", ["https_proxy", "ALL_PROXY"])
def test_the_environments_proxy_leads_beyond_this_machine(
    name: str, ca: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(other, raising=False)
    with serving(room, server_tls(ca, "room.example")) as server:
        tunnel = Tunnel(server.port)
        with serving(tunnel) as proxy:
            monkeypatch.setenv(name, f"http://jane:hunter2@127.0.0.1:{proxy.port}")
            url = "wss://room.example/v?ref=vs_secret"
            Dialer(lambda: client_tls(ca)).open(url, Cancel(), time.monotonic() + GUARD_S).close()
            assert tunnel.heads[0].startswith(b"CONNECT room.example:443 HTTP/1.1\r\n")
            assert header(tunnel.heads[0], "Proxy-Authorization") == "Basic " + b64encode(b"jane:hunter2").decode()


def test_the_environments_proxy_is_named_where_it_is_at_fault(ca: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with serving(answering(b"HTTP/1.1 407 Login\r\n\r\n")) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(ProxyRefused, match="check user and password in https_proxy of the environment"):
            Dialer(lambda: client_tls(ca)).open("wss://room.example/", Cancel(), time.monotonic() + GUARD_S)


def test_the_proxys_password_is_not_in_the_dialers_repr(ca: trustme.CA) -> None:
    assert "hunter2" not in repr(Dialer(lambda: client_tls(ca), "http://user:hunter2@proxy:3128"))
