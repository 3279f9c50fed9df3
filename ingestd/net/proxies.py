"""HTTP proxies: which one leads to a host, and the tunnel through it (CONNECT, RFC 9110 §9.3.6)."""

from __future__ import annotations

import base64
import os
import socket
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from ingestd.core.ingest_session import is_loopback
from ingestd.errors import ChannelError, ProxyRefused
from ingestd.net.deadline import left_s

_DEFAULT_PORT: Final = 8080
_MAX_ANSWER_BYTES: Final = 8192
_FOR_A_PERSON: Final = (401, 403, 405, 407)


class Proxy(NamedTuple):
    """An HTTP proxy that is spoken to in plain text; what goes through it is TLS from end to end."""

    host: str
    port: int
    login: str | None
    """user:password."""
    named: str
    """Where it was configured, for whoever has to mend it."""

    def __repr__(self) -> str:
        return f"Proxy({self.host}:{self.port}, {self.named})"


def proxy_for(host: str, port: int, configured: str | None) -> Proxy | None:
    """The proxy on the way to `host`: the `configured` one, else the environment's; None where there is none.

    The environment's (https_proxy, all_proxy, but for no_proxy) are for TLS only, and never lead to this machine
    itself. Raises ProxyRefused for one that can't be spoken to.
    """
    if configured is not None:
        return _parsed(configured, "backend.proxy")
    if is_loopback(host):
        return None
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    # Imported here: 1.6 MiB that most devices do without.
    from urllib.request import getproxies_environment, proxy_bypass

    proxies = getproxies_environment()
    if proxy_bypass(f"{host}:{port}", proxies):
        return None
    for name in ("https", "all"):
        if url := proxies.get(name):
            return _parsed(url if "://" in url else f"http://{url}", f"{name}_proxy of the environment")
    return None


def _parsed(url: str, named: str) -> Proxy:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or _DEFAULT_PORT
    except ValueError:
        host, port = None, 0
    if not host or parts.scheme != "http":
        # Without the URL, which may hold a password.
        raise ProxyRefused(f"{named} is no http:// URL of a proxy, the only kind that can be used; correct it", 0)
    login = None if parts.username is None else f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return Proxy(host, port, login, named)


def tunnel(sock: socket.socket, host: str, port: int, proxy: Proxy, deadline_s: float) -> None:
    """Asks `proxy`, to which `sock` is connected, for a way to `host`.

    Raises ProxyRefused for what will not change by itself, other ChannelErrors, and OSError of the connection.
    """
    name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {name} HTTP/1.1", f"Host: {name}"]
    if proxy.login is not None:
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(proxy.login.encode()).decode('ascii')}")
    try:
        sock.settimeout(left_s(deadline_s))
        sock.sendall("".join(f"{line}\r\n" for line in (*lines, "")).encode("ascii"))
        answer = _head(sock, proxy, deadline_s)
    except TimeoutError:
        raise ChannelError(f"the proxy did not answer CONNECT {name} in time; check {proxy.named}") from None
    status = answer.split(b" ", 2)[1:2]
    if not answer.startswith(b"HTTP/1.") or not status or not status[0].isdigit() or len(status[0]) != 3:
        raise ChannelError(f"the proxy sent no HTTP answer to CONNECT {name}; check {proxy.named}")
    code = int(status[0])
    if 200 <= code < 300:
        return
    said = f"the proxy answered {code} to CONNECT {name}; check "
    if code in (401, 407):
        raise ProxyRefused(f"{said}user and password in {proxy.named}", code)
    if code in _FOR_A_PERSON:
        raise ProxyRefused(f"{said}{proxy.named}, and whether the proxy lets this device through", code)
    raise ChannelError(f"{said}{proxy.named}")


def _head(sock: socket.socket, proxy: Proxy, deadline_s: float) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        sock.settimeout(left_s(deadline_s))
        byte = sock.recv(1)  # one at a time: what follows belongs to TLS
        if not byte or len(head) > _MAX_ANSWER_BYTES:
            raise ChannelError(f"the proxy closed the connection or sent no HTTP answer; check {proxy.named}")
        head += byte
    return head
