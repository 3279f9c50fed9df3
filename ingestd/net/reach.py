"""From a host and a port to a socket that speaks to it: proxy, TCP and TLS, for the session request and the call."""

from __future__ import annotations

import socket
import ssl
import time

from ingestd.core.times import DEFAULT, Times
from ingestd.errors import ChannelClosed, ChannelError
from ingestd.net import stream
from ingestd.net.cancel import Cancel
from ingestd.net.connect import connect
from ingestd.net.proxies import Proxy, proxy_for, tunnel
from ingestd.net.tls import secure


def reach(
    host: str,
    port: int,
    tls: ssl.SSLContext | None,
    proxy_url: str | None,
    cancel: Cancel,
    deadline_s: float,
    times: Times = DEFAULT,
) -> socket.socket:
    """A socket that the caller owns, verified by `tls` unless that is None, by `deadline_s` (CLOCK_MONOTONIC).

    `proxy_url` is the configured proxy; without one the environment's is taken. Raises CertificateError, ProxyRefused,
    ChannelClosed where cancelled, ChannelError for all else; then nothing is left open.
    """
    proxy = proxy_for(host, port, proxy_url)
    sock = _connect(host, port, proxy, cancel, deadline_s, times)
    try:
        with cancel.watching(sock):
            if proxy is not None:
                tunnel(sock, host, port, proxy, min(deadline_s, time.monotonic() + times.upgrade_s))
            if tls is not None:
                sock = secure(sock, tls, host, port, min(deadline_s, time.monotonic() + times.tls_s))
    except BaseException as error:
        sock.close()
        cancel.check()
        if isinstance(error, OSError):
            lost = f"the connection to {proxy.host if proxy else host} was lost: {stream.describe(error)}"
            raise ChannelError(f"{lost}; check the network") from None
        raise
    return sock


def _connect(
    host: str, port: int, proxy: Proxy | None, cancel: Cancel, deadline_s: float, times: Times
) -> socket.socket:
    if proxy is None:
        return connect(host, port, cancel, deadline_s, times)
    try:
        return connect(proxy.host, proxy.port, cancel, deadline_s, times)
    except ChannelClosed:
        raise
    except ChannelError as error:
        raise ChannelError(f"{error}, and {proxy.named}, the proxy's URL") from None
